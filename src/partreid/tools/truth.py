"""Truth of the synthetic data set: what the renderer knows, in the form of a tool's output.

Reads `truth.npz` in the data set's folder (partreid.synthetic) and puts its rows in the image table's order. Beside the
common members (partreid.tools): `parsing` uint8 (n, 128, 64) and `head` float32 (n, 4), as the renderer wrote them.
"""

from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from partreid import chunks
from partreid.errors import UserError
from partreid.labels import cache
from partreid.labels.pieces import Work

VERSION = "1"


def build(table: pa.Table, table_sha256: str, root: Path) -> tuple[dict[str, Any], Work]:
    """See partreid.tools. UserError when the data set has no truth or it lacks an image of the table."""
    file = root / "truth.npz"
    if not file.is_file():
        raise UserError(f"no {file}: only the synthetic data set has tool 'truth'; choose another labels.<name>.tool")
    reader = chunks.Reader(file)
    row_of = {path: row for row, path in enumerate(reader.all("path").tolist())}
    paths = table["path"].to_pylist()
    absent = [path for path in paths if path not in row_of]
    if absent:
        raise UserError(f"{file} lacks {len(absent)} images of the table, the first is {absent[0]}; run `dvc repro`")
    rows = np.array([row_of[path] for path in paths], dtype=np.int64)
    head = cache.header("tool/truth", "truth", VERSION, None, {"renderer": reader.header}, table_sha256)
    return head, partial(look, file, rows)


def look(file: Path, rows: np.ndarray, start: int, stop: int) -> dict[str, np.ndarray]:
    """Truth of images start..stop-1; rows (N,) is each image's row in the truth."""
    here = rows[start:stop]
    names = ("keypoints", "person", "parsing", "head")
    found = {name: _reader(file).rows(name, here) for name in names}
    return {
        "status": np.full(stop - start, cache.OK, np.uint8),
        "score": np.ones(stop - start, np.float32),
        **found,
        "keypoints": found["keypoints"].astype(np.float32),
    }


@lru_cache(maxsize=1)
def _reader(file: Path) -> chunks.Reader:
    return chunks.Reader(file)
