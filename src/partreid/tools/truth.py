"""Truth of the synthetic data set: what the renderer knows, in the form of a tool's output.

Reads `truth.npz` in the data set's folder (partreid.synthetic) and puts its rows in the image table's order. Beside the
common members (partreid.tools): `visible` float32 (n,), the share of the person that is in the image and not hidden,
and `view` float32 (n,), degrees: 0 faces the camera, 90 walks to the image's right, 180 shows the back.
"""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from partreid.errors import UserError
from partreid.labels.reading import rows as read_rows
from partreid.storage import cache, chunks
from partreid.storage.pieces import Work
from partreid.tools.base import Images

VERSION = "2"
GIVES = ("keypoints", "person", "parsing", "head", "visible", "view")


def build(images: Images) -> tuple[dict[str, Any], Work]:
    """See partreid.tools. UserError when the data set has no truth or it lacks an image of the table."""
    file = images.root / "truth.npz"
    if not file.is_file():
        raise UserError(f"no {file}: only the synthetic data set has tool 'truth'; choose another labels.<name>.tool")
    reader = chunks.Reader(file)
    row_of = {path: row for row, path in enumerate(reader.all("path").tolist())}
    paths = images.paths()
    absent = [path for path in paths if path not in row_of]
    if absent:
        raise UserError(f"{file} lacks {len(absent)} images of the table, the first is {absent[0]}; run `dvc repro`")
    rows = np.array([row_of[path] for path in paths], dtype=np.int64)
    head = cache.header("tool/truth", "truth", VERSION, None, {"renderer": reader.header}, images.sha256)
    return head, partial(look, file, rows)


def look(file: Path, rows: np.ndarray, start: int, stop: int) -> dict[str, np.ndarray]:
    """Truth of images start..stop-1; rows (N,) is each image's row in the truth."""
    here = rows[start:stop]
    found = dict(zip(GIVES, read_rows(file, GIVES, here), strict=True))
    return {
        "status": np.full(stop - start, cache.OK, np.uint8),
        "score": np.ones(stop - start, np.float32),
        **found,
    }
