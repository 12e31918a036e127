"""Labels that a method makes of its training images while it trains: runs/<method>-<dataset>/labels/<label>.npz.

The contract is that of storage.cache, so stages/inspect.py shows them like any other label: member `maps` uint8
(N, h, w), over the image's extent, beside `status` (missing: not a training image) and `score` (the share of the map
that is not 0).
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from partreid.storage import chunks, image_table
from partreid.storage.cache import MISSING, OK, counted, header
from partreid.storage.files import sha256

MADE = {"pseudo_parts": "pah"}
"""Label -> the method that makes it."""

VERSION = "1"  # raise when the labels' meaning changes


def file(label: str, dataset: str) -> Path:
    """Where the labels of the last epoch lie."""
    return Path(f"runs/{MADE[label]}-{dataset}/labels/{label}.npz")


def write(
    path: Path, label: str, table: Path, paths: Sequence[str], maps: np.ndarray, parameters: Mapping[str, Any]
) -> None:
    """Write uint8 maps (n, h, w) of the images `paths` of an image table, whole or not at all.

    n = 0: there are none, and every image of the table is missing.
    """
    place = {name: image_id for image_id, name in enumerate(image_table.read(table)["path"].to_pylist())}
    row = np.full(len(place), -1)
    row[[place[name] for name in paths[: len(maps)]]] = np.arange(len(maps))
    status = np.where(row >= 0, OK, MISSING).astype(np.uint8)
    head = header(f"label/{label}", MADE[label], VERSION, None, parameters, sha256(table))
    chunks.write(path, counted(head, status), _chunks(row, status, maps))


def _chunks(row: np.ndarray, status: np.ndarray, maps: np.ndarray) -> Iterator[dict[str, np.ndarray]]:
    for start in range(0, len(row), chunks.CHUNK):
        here = row[start : start + chunks.CHUNK]
        values = np.zeros((len(here), *maps.shape[1:]), np.uint8)
        values[here >= 0] = maps[here[here >= 0]]
        score = (values > 0).mean((1, 2), dtype=np.float32)
        yield {"status": status[start : start + chunks.CHUNK], "score": score, "maps": values}
