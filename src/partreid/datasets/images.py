"""What every reader does: find the set's folders, list image files, measure them, say what is wrong with a layout."""

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from partreid.datasets.walk import LASTING, Skipped, printable, storable
from partreid.errors import UserError
from partreid.inputs.decoding import decoded
from partreid.progress import followed

SHOWN = 12  # entries of a folder that an error prints

Row = dict[str, Any]  # one image: columns of the image table


def bad_layout(root: Path, problem: str, expected: str) -> UserError:
    """The error for a folder that is not the data set: the problem, the expected tree, what is there instead."""
    lines = [problem, "expected:", *(f"  {line}" for line in expected.strip("\n").splitlines())]
    if not root.is_dir():
        lines.append(f"found: {'a file, not a folder' if root.exists() else 'no such folder'}: {root}")
    else:
        entries = sorted(os.scandir(root), key=lambda entry: os.fsencode(entry.name))
        names = [entry.name + ("/" if entry.is_dir() else "") for entry in entries]
        lines.append(f"found in {root}:" if names else f"found: {root} is empty")
        lines.extend(f"  {printable(name)}" for name in names[:SHOWN])
        if len(names) > SHOWN:
            lines.append(f"  ... and {len(names) - SHOWN} more")
    lines.append("set the right folder under `raw` in params.yaml")
    return UserError("\n".join(lines))


def locate(root: Path, folders: Sequence[str], inside: str, expected: str) -> str:
    """Where the set's folders lie: "" for `root` itself, `inside` + "/" for the folder that its archive unpacks to.

    Raises UserError when some of `folders` are missing, and calls the set incomplete when others are there.
    """
    for prefix in ("", *(f"{name}/" for name in _alike(root, inside))):
        present = [name for name in folders if (root / prefix / name).is_dir()]
        if len(present) == len(folders):
            return prefix
        if present:
            absent = ", ".join(name for name in folders if name not in present)
            problem = f"incomplete: {root / prefix} has {', '.join(present)}, but {absent} is missing"
            raise bad_layout(root / prefix, problem, expected)
    raise bad_layout(root, f"this is not {inside}", expected)


def _alike(root: Path, name: str) -> list[str]:
    """The folders in `root` that are called `name`, in any case: archives and copies differ in that."""
    if not root.is_dir():
        return [name]
    return sorted(entry.name for entry in root.iterdir() if entry.name.lower() == name.lower())


def measure(root: Path, rows: Sequence[Mapping[str, Any]]) -> tuple[list[Row], Skipped]:
    """Add width, height (pixels, after the EXIF turn that decoding applies) and sha1 to rows that have a `path`.

    Every file is read once and decoded whole, so a damaged image is found now and not in the middle of a training.
    Returns the rows that are readable, in order, and the others with the reason.
    """
    measured: list[Row] = []
    skipped: Skipped = []
    with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
        results = pool.map(lambda row: _header(root, row["path"]), rows)
        for row, result in zip(followed(rows, len(rows), "read"), results, strict=True):
            if isinstance(result, str):
                skipped.append([printable(row["path"]), result])
            else:
                measured.append({**row, **result})
    return measured, skipped


def _header(root: Path, path: str) -> Row | str:
    """Width, height and sha1 of an image file, or why there are none."""
    if not storable(path):
        return "the file name is not UTF-8: rename it"
    try:
        data = (root / path).read_bytes()
    except OSError as error:
        if error.errno not in LASTING:
            raise UserError(f"cannot read {root / path} now: {error.strerror or error}; run it again later") from error
        return f"cannot be read: {error.strerror}"
    if not data:
        return "the file is empty"
    image = decoded(data)
    if image is None:
        return "not an image, or damaged"
    return {"width": image.shape[1], "height": image.shape[0], "sha1": hashlib.sha1(data).hexdigest()}


def in_order(rows: Iterable[Row], splits: Sequence[str]) -> list[Row]:
    """Rows by split in the order of `splits`, then in byte order of their paths: the order of the image table."""
    return sorted(rows, key=lambda row: (splits.index(row["split"]), os.fsencode(row["path"])))
