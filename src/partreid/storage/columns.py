"""Small values per image as Parquet with a header: a column for each array, a row group per chunk (storage.chunks).

An array (n,) is a plain column; one of shape (n, ...) is a column of fixed-size lists, its shape kept in the column's
metadata. The first column is image_id, int32, the row number. The header is JSON in the file's metadata, key `header`.
The bytes depend only on the content.
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
from partreid.storage.places import absent


def write(path: Path, header: Mapping[str, Any], chunks: Iterable[Mapping[str, np.ndarray]]) -> None:
    """Write chunks (each a dict name -> array (n, ...)) one by one, whole or not at all."""
    first = 0
    writer: pq.ParquetWriter | None = None
    with whole(path) as temporary:
        try:
            for chunk in chunks:
                n = len(next(iter(chunk.values())))
                ids = np.arange(first, first + n, dtype=np.int32)
                names = ["image_id", *chunk]
                arrays = [_column(array) for array in (ids, *chunk.values())]
                if writer is None:
                    fields = [_field(name, array) for name, array in zip(names, (ids, *chunk.values()), strict=True)]
                    schema = pa.schema(fields, {"header": json.dumps(header, sort_keys=True)})
                    writer = pq.ParquetWriter(temporary, schema, compression="zstd", write_page_checksum=True)
                writer.write_table(pa.table(arrays, schema=writer.schema))
                first += n
        finally:
            if writer is not None:
                writer.close()


def _column(array: np.ndarray) -> pa.Array:
    flat = pa.array(array.reshape(-1))
    return flat if array.ndim == 1 else pa.FixedSizeListArray.from_arrays(flat, int(np.prod(array.shape[1:])))


def _field(name: str, array: np.ndarray) -> pa.Field:
    shape = {"shape": json.dumps(array.shape[1:])} if array.ndim > 1 else None
    return pa.field(name, _column(array[:1]).type, nullable=False, metadata=shape)


class Reader:
    """Reads such a file; same methods as chunks.Reader, and the same errors."""

    def __init__(self, path: Path):
        if not path.is_file():
            raise UserError(absent(path))
        self.path = path
        try:
            self._table = pq.read_table(path, page_checksum_verification=True)
            self.header: dict[str, Any] = json.loads(self._table.schema.metadata[b"header"])
            self._names: list[str] = self._table.column_names
        except (pa.ArrowException, OSError, KeyError, TypeError, ValueError) as error:
            raise UserError(f"{path} is damaged ({reason(error)}); delete it and run `dvc repro`") from error

    def all(self, name: str) -> np.ndarray:
        """The whole column, (N, ...)."""
        if name not in self._names:
            raise UserError(f"{self.path} has no column {name!r}; delete it and run `dvc repro`")
        try:
            field, column = self._table.schema.field(name), self._table[name].combine_chunks()
            if not field.metadata or b"shape" not in field.metadata:
                return column.to_numpy()
            return column.flatten().to_numpy().reshape(-1, *json.loads(field.metadata[b"shape"]))
        except (pa.ArrowException, TypeError, ValueError) as error:
            raise UserError(f"{self.path}: column {name!r} is damaged; delete it and run `dvc repro`") from error

    def rows(self, name: str, indices: np.ndarray) -> np.ndarray:
        """Rows by image number (any order, repeats allowed): (len(indices), ...)."""
        return self.all(name)[np.asarray(indices, dtype=np.int64)]
