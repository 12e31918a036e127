"""`images.csv`: own photos as a list, for files that cannot be sorted into folders."""

import os
from collections.abc import Sequence
from pathlib import Path

from partreid.datasets.images import Row, Skipped
from partreid.datasets.names import cell
from partreid.datasets.walk import Walk, printable
from partreid.errors import UserError
from partreid.storage import strict_csv

CSV = "images.csv"
REQUIRED = ("path", "pid")
COLUMNS = (*REQUIRED, "camid", "split")


def listed(root: Path) -> tuple[list[Row], Skipped]:
    """Rows with path, person, camera ("" = none) and split ("" = not said) of `root/images.csv`, in its order.

    The file is UTF-8 (with or without a byte order mark) and separated by commas, semicolons or tabs; see
    storage.strict_csv. `path` is relative to `root`, or absolute inside it, in any Unicode form; the row has it as the
    disk spells it. A file that is not there, a line without pid and an exact repetition of a line are skipped.
    What programs write for nothing (datasets.names.EMPTY) is nothing. Raises UserError, with the line, for a wrong
    column, a path outside `root`, and a path that is listed twice with different values.
    """
    columns, records = strict_csv.read(root / CSV, ",;\t")
    _check_columns(columns)
    rows: dict[str, Row] = {}
    skipped: Skipped = []
    walk = Walk(root, endings=None)
    for line, values in records:
        where = f"{CSV} line {line}"
        said = _inside(root, values["path"], where)
        path = walk.find(said)
        row = {
            "path": path,
            "person": cell(values["pid"]),
            "camera": cell(values.get("camid", "")),
            "split": cell(values.get("split", "")).lower(),
        }
        if not row["person"]:
            skipped.append([printable(said), f"{where}: no pid"])
        elif path is None:
            skipped.append([printable(said), f"{where}: no such file"])
        elif rows.setdefault(path, row) is row:
            continue
        elif rows[path] == row:
            skipped.append([printable(path), f"{where}: listed twice"])
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
    if relative == ".." or relative.startswith(f"..{os.sep}"):
        raise UserError(f"{where}: {path} lies outside the data set's folder {root}; move it there, or link it in")
    return relative.replace(os.sep, "/")
