"""What every method gives the evaluator: P part vectors per image with their visibility.

A global method has P = 1. The evaluator, re-ranking, search and report know nothing else of a method.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from partreid.errors import UserError
from partreid.storage import chunks, image_table, places, vector_table
from partreid.storage.files import sha256


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
        return self.take(_rows(self.image_id, image_ids, np.argsort(self.image_id)))


class Stored:
    """An embeddings file of which only what is asked for is read; see Embeddings for image_id and header.

    An npz of the pipeline, or Parquet (partreid.storage.vector_table).

    Raises UserError when the file is missing or damaged, or an image_id stands there twice.
    """

    def __init__(self, path: Path):
        table = path.suffix == ".parquet"
        self._reader: chunks.Reader | vector_table.Reader = vector_table.Reader(path) if table else chunks.Reader(path)
        self.header: Mapping[str, Any] = self._reader.header
        self.image_id = self._reader.all("image_id")
        self._order = np.argsort(self.image_id)  # once: a large gallery is asked for block by block
        ascending = self.image_id[self._order]
        if len(twice := ascending[1:][ascending[1:] == ascending[:-1]]):  # as two files that somebody put together
            raise UserError(f"{path}: image_id {twice[0]} stands there twice; number the rows anew, each its own")

    def of(self, image_ids: np.ndarray) -> Embeddings:
        """The rows of the given image ids, in their order. UserError when one was not embedded."""
        rows = _rows(self.image_id, image_ids, self._order)
        features, visibility = (self._reader.rows(name, rows) for name in ("features", "visibility"))
        return Embeddings(image_ids, features, visibility, self.header)

    def size(self, images: int) -> int:
        """Bytes that the features of so many images take in memory."""
        return images * self._reader.rows("features", np.zeros(1, np.int64)).nbytes

    def about(self) -> pa.Table | None:
        """What a Parquet file says of its images: path, split, pid, camid, a row each; of another, None."""
        return self._reader.about() if isinstance(self._reader, vector_table.Reader) else None


def table_of(stored: Stored, file: Path) -> tuple[str, pa.Table]:
    """Whose images a data set's embeddings file holds, and the image table of that data set.

    UserError when the file was made from another image table.
    """
    dataset = stored.header.get("target", stored.header["dataset"])
    index = places.index(dataset)
    table = image_table.read(index)
    if stored.header.get("table") != sha256(index):
        raise UserError(f"{file} was made from another image table than {index}; run `dvc repro`")
    return dataset, table


def _rows(image_id: np.ndarray, wanted: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Where the wanted image ids stand in image_id (N,), which `order` sorts. UserError when one does not."""
    rows = order[np.searchsorted(image_id, wanted, sorter=order).clip(max=len(order) - 1)]
    absent = np.flatnonzero(image_id[rows] != wanted)
    if len(absent):
        raise UserError(f"{len(absent)} images have no embedding (the first is image_id {wanted[absent[0]]})")
    return rows


def joined(batches: Iterable[Embeddings]) -> Embeddings:
    """Batches as one, with the header of the first."""
    every = list(batches)
    return Embeddings(
        np.concatenate([batch.image_id for batch in every]),
        np.concatenate([batch.features for batch in every]),
        np.concatenate([batch.visibility for batch in every]),
        every[0].header,
    )


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
