"""`images.csv`: own photos as a list, for files that cannot be sorted into folders."""

import csv
import io
import os
from collections.abc import Sequence
from pathlib import Path

from partreid.datasets.images import Row, Skipped
from partreid.errors import UserError

CSV = "images.csv"
REQUIRED = ("path", "pid")
COLUMNS = (*REQUIRED, "camid", "split")


def listed(root: Path) -> tuple[list[Row], Skipped]:
    """Rows with path, person, camera ("" = none) and split ("" = not said) of `root/images.csv`, in its order.

    The file is UTF-8 (with or without a byte order mark) and separated by commas, semicolons or tabs. `path` is
    relative to `root`, or absolute inside it. A file that is not there, a line without pid and an exact repetition of
    a line are skipped. Raises UserError, with the line, for a wrong column, a path outside `root`, and a path that is
    listed twice with different values.
    """
    try:
        text = (root / CSV).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{CSV} is not UTF-8 ({error}); save it as CSV UTF-8") from error
    delimiter = max(",;\t", key=text.partition("\n")[0].count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    reader.fieldnames = [name.strip() for name in reader.fieldnames or []]
    _check_columns(reader.fieldnames)
    rows: dict[str, Row] = {}
    skipped: Skipped = []
    for values in reader:
        where = f"{CSV} line {reader.line_num}"
        if None in values:
            raise UserError(f"{where}: more values than columns; put a value that holds {delimiter!r} in double quotes")
        cell = {name: (value or "").strip() for name, value in values.items()}
        if not any(cell.values()):
            continue
        path = _inside(root, cell["path"], where)
        row = {
            "path": path,
            "person": cell["pid"],
            "camera": cell.get("camid", ""),
            "split": cell.get("split", "").lower(),
        }
        if not cell["pid"]:
            skipped.append([path, f"{where}: no pid"])
        elif not (root / path).is_file():
            skipped.append([path, f"{where}: no such file"])
        elif rows.setdefault(path, row) is row:
            continue
        elif rows[path] == row:
            skipped.append([path, f"{where}: listed twice"])
        else:
            raise UserError(f"{where}: {path} is already listed with another pid, camid or split; keep one line")
    return list(rows.values()), skipped


def _check_columns(found: Sequence[str]) -> None:
    """UserError that names a missing or unknown column: a misspelt `camid` must not pass for "no cameras"."""
    for name in REQUIRED:
        if name not in found:
            raise UserError(f"{CSV} has no column {name!r}; found: {', '.join(found)}; expected: {', '.join(COLUMNS)}")
    for name in found:
        if name not in COLUMNS or list(found).count(name) > 1:
            problem = "unknown column" if name not in COLUMNS else "twice the column"
            raise UserError(f"{CSV} has {problem} {name!r}; expected: {', '.join(COLUMNS)}")


def _inside(root: Path, path: str, where: str) -> str:
    """The path relative to `root`, with /; links are not followed, because the data may be linked in from elsewhere."""
    if not path:
        raise UserError(f"{where}: no path")
    absolute = os.path.abspath(root)  # noqa: PTH100  (Path.resolve would follow links)
    whole = os.path.normpath(os.path.join(absolute, path.replace("\\", "/")))  # noqa: PTH118
    relative = os.path.relpath(whole, absolute)
    if relative.startswith(".."):
        raise UserError(f"{where}: {path} lies outside the data set's folder {root}; move it there, or link it in")
    return relative.replace(os.sep, "/")
