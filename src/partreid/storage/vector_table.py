"""Embeddings as Parquet for other programs: a row per image, its vectors a list of fixed length.

    image_id    int32                      the row's number in the data set's image table
    path        string                     the image's file, relative to `root` of the header
    split       string, nullable           query, gallery, ...
    pid         int32, nullable            person
    camid       int32, nullable            camera
    features    fixed_size_list<float>[P D]  the P part vectors side by side
    visibility  fixed_size_list<float>[P]  1 where the part is seen, else 0

The header is JSON in the file's metadata, key `header`: that of the embeddings, with `shape`, [P, D], and `root`. A row
group holds 1,024 images, so that blocks are read without the rest. For methods compared by cosine or Euclidean distance
`features` is all that a vector index needs.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from partreid.errors import UserError, reason
from partreid.storage.files import whole

ABOUT = {"path": pa.string(), "split": pa.string(), "pid": pa.int32(), "camid": pa.int32()}
VECTORS = ("features", "visibility")


def write(path: Path, header: Mapping[str, Any], about: pa.Table, batches: Iterable[Mapping[str, np.ndarray]]) -> None:
    """Write batches (image_id (n,), features (n, P, D), visibility (n, P)), whole or not at all.

    about: the columns ABOUT, a row per image of all batches, in their order.
    """
    writer: pq.ParquetWriter | None = None
    done = 0
    with whole(path) as temporary:
        try:
            for batch in batches:
                P, D = batch["features"].shape[1:]
                kinds = {"features": pa.list_(pa.float32(), P * D), "visibility": pa.list_(pa.float32(), P)}
                if writer is None:
                    fields = [pa.field("image_id", pa.int32(), False)]
                    fields += [pa.field(name, kind, name != "path") for name, kind in ABOUT.items()]
                    fields += [pa.field(name, kind, False) for name, kind in kinds.items()]
                    text = json.dumps({**header, "shape": [P, D]}, sort_keys=True)
                    writer = pq.ParquetWriter(
                        temporary, pa.schema(fields, {"header": text}), compression="zstd", write_page_checksum=True
                    )
                n = len(batch["image_id"])
                rows = about.slice(done, n)
                columns = [pa.array(batch["image_id"], pa.int32())]
                columns += [rows[name].combine_chunks().cast(kind) for name, kind in ABOUT.items()]
                columns += [_lists(batch[name], kind.list_size) for name, kind in kinds.items()]
                writer.write_table(pa.table(columns, schema=writer.schema), row_group_size=n)
                done += n
        finally:
            if writer is not None:
                writer.close()


def _lists(array: np.ndarray, length: int) -> pa.Array:
    flat = pa.array(np.ascontiguousarray(array, np.float32).reshape(-1))
    return pa.FixedSizeListArray.from_arrays(flat, length)


class Reader:
    """Reads such a file block by block; same methods as chunks.Reader where embeddings need them, and its errors."""

    def __init__(self, path: Path):
        if not path.is_file():
            raise UserError(f"no file {path}")
        self.path = path
        try:
            self._file = pq.ParquetFile(path, page_checksum_verification=True)
            self.header: dict[str, Any] = json.loads(self._file.schema_arrow.metadata[b"header"])
            P, D = self.header["shape"]
            counts = [self._file.metadata.row_group(n).num_rows for n in range(self._file.num_row_groups)]
        except (pa.ArrowException, OSError, KeyError, TypeError, ValueError) as error:
            raise UserError(
                f"{path} is damaged, or not Parquet that stages/vectors.py wrote ({reason(error)}); make it again"
            ) from error
        self._shapes = {"features": (P, D), "visibility": (P,)}
        self._ends = np.cumsum(counts)
        self._cached: dict[str, tuple[int, np.ndarray]] = {}

    def about(self) -> pa.Table:
        """The columns image_id and ABOUT."""
        return self._read(lambda: self._file.read(["image_id", *ABOUT]))

    def all(self, name: str) -> np.ndarray:
        """A whole column, (N, ...)."""
        return self._array(name, self._read(lambda: self._file.read([name])))

    def rows(self, name: str, indices: np.ndarray) -> np.ndarray:
        """Rows of a column by place (any order, repeats allowed): (len(indices), ...)."""
        indices = np.asarray(indices, np.int64)
        group = np.searchsorted(self._ends, indices, "right")
        result = np.empty((len(indices), *self._shapes[name]), np.float32)
        for number in np.unique(group):
            here = group == number
            start = int(self._ends[number - 1]) if number else 0
            result[here] = self._group(name, int(number))[indices[here] - start]
        return result

    def _group(self, name: str, number: int) -> np.ndarray:
        if self._cached.get(name, (-1, None))[0] != number:
            table = self._read(lambda: self._file.read_row_group(number, [name]))
            self._cached[name] = (number, self._array(name, table))
        return self._cached[name][1]

    def _array(self, name: str, table: pa.Table) -> np.ndarray:
        column = table[name].combine_chunks()
        if name not in VECTORS:
            return column.to_numpy()
        return column.flatten().to_numpy().reshape(-1, *self._shapes[name])

    def _read(self, read: Any) -> pa.Table:
        try:
            return read()
        except (pa.ArrowException, OSError, KeyError) as error:
            raise UserError(f"{self.path} is damaged ({reason(error)}); make it again") from error
