"""What every method gives the evaluator: P part vectors per image with their visibility.

A global method has P = 1. The evaluator, re-ranking, search and report know nothing else of a method.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from partreid import chunks
from partreid.errors import UserError


@dataclass(frozen=True)
class Embeddings:
    """Embeddings of N images.

    image_id: int64 (N,), rows of the image table. features: float32 (N, P, D). visibility: float32 (N, P), 0 or 1.
    header: method, distance (a name of partreid.evaluation.distances), part names, seed, revision, hashes.
    """

    image_id: np.ndarray
    features: np.ndarray
    visibility: np.ndarray
    header: Mapping[str, Any]

    def take(self, rows: np.ndarray) -> "Embeddings":
        """The given rows (indices or a boolean mask)."""
        return Embeddings(self.image_id[rows], self.features[rows], self.visibility[rows], self.header)

    def of(self, image_ids: np.ndarray) -> "Embeddings":
        """The rows of the given image ids, in their order. UserError when one was not embedded."""
        order = np.argsort(self.image_id)
        places = np.searchsorted(self.image_id, image_ids, sorter=order).clip(max=len(order) - 1)
        rows = order[places]
        absent = np.flatnonzero(self.image_id[rows] != image_ids)
        if len(absent):
            raise UserError(f"{len(absent)} images have no embedding (the first is image_id {image_ids[absent[0]]})")
        return self.take(rows)


def write(path: Path, header: Mapping[str, Any], batches: Iterable[Embeddings]) -> None:
    """Write batches of at most CHUNK images, in order, as one chunked npz."""
    parts: Iterable[dict[str, np.ndarray]] = (
        {
            "image_id": batch.image_id.astype(np.int64),
            "features": batch.features.astype(np.float32),
            "visibility": batch.visibility.astype(np.float32),
        }
        for batch in batches
    )
    chunks.write(path, header, parts)


def read(path: Path) -> Embeddings:
    """Read a whole embeddings file into memory."""
    reader = chunks.Reader(path)
    return Embeddings(reader.all("image_id"), reader.all("features"), reader.all("visibility"), reader.header)
