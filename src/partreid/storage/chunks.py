"""Chunked arrays in one npz: member `<name>_00000` holds images 0..1023, `<name>_00001` the next 1,024, and so on.

One image costs one chunk, plain NumPy reads the file, and a JSON `header` member says what it is.
The bytes depend only on the content: the same arrays give the same file.
"""

import json
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from partreid.errors import UserError
from partreid.storage import foreign
from partreid.storage.files import whole
from partreid.storage.places import absent

CHUNK = 1024  # images per member
# What reading a damaged npz may raise. KeyError: no such member; RuntimeError: a flag of zip that Python does not know;
# SyntaxError, TokenError, MemoryError: a damaged header of an array.
DAMAGE = (
    OSError, ValueError, KeyError, EOFError, RuntimeError, SyntaxError, MemoryError, struct.error, tokenize.TokenError,
    zipfile.BadZipFile, zlib.error,
)  # fmt: skip


def write(path: Path, header: Mapping[str, Any], chunks: Iterable[Mapping[str, np.ndarray]]) -> None:
    """Write chunks (each a dict name -> array (n, ...), n = CHUNK except in the last), whole or not at all.

    Chunks are consumed one by one, so memory holds a single chunk.
    """
    with whole(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        _member(archive, "header", np.array(json.dumps(header, sort_keys=True)))
        for number, chunk in enumerate(chunks):
            for name, array in chunk.items():
                _member(archive, f"{name}_{number:05d}", array)


def _member(archive: zipfile.ZipFile, name: str, array: np.ndarray) -> None:
    # a member opened by its name has the archive's compression, which a ZipInfo of one's own has not; its date is fixed
    # (1980), which keeps the file free of the time of writing
    with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
        np.lib.format.write_array(file, np.asanyarray(array), allow_pickle=False)


class Reader:
    """Reads a chunked npz; keeps the last chunk of each array in memory.

    Raises UserError when the file is missing or damaged, naming the file and the member.
    """

    def __init__(self, path: Path):
        if not path.is_file():
            raise UserError(absent(path))
        self.path = path
        try:
            self._file = np.load(path, allow_pickle=False)
            self.header: dict[str, Any] = json.loads(str(self._read("header")))
        except DAMAGE as error:
            told: object = error
            if (kind := foreign.what(path)) != "a NumPy archive":  # then NumPy's words are advice
                told = f"it is {kind or 'no NumPy archive'}"
            raise UserError(f"{path} is damaged, or none of partreid's ({told}); {foreign.AGAIN}") from error
        self._cached: dict[str, tuple[int, np.ndarray]] = {}

    def _read(self, member: str) -> np.ndarray:
        try:
            array = self._file[member]
            if not isinstance(array, np.ndarray):  # NumPy gives the bytes of what does not look like an array
                raise ValueError("not an array")
        except DAMAGE as error:
            raise UserError(
                f"{self.path}: member {member!r} is damaged or missing ({error}); {foreign.AGAIN}"
            ) from error
        return array

    def chunk(self, name: str, number: int) -> np.ndarray:
        """Member `<name>_<number>`: array (n, ...)."""
        if self._cached.get(name, (-1, None))[0] != number:
            self._cached[name] = (number, self._read(f"{name}_{number:05d}"))
        return self._cached[name][1]

    def count(self, name: str) -> int:
        """How many chunks the array has."""
        return sum(member.rpartition("_")[0] == name for member in self._file.files)

    def rows(self, name: str, indices: np.ndarray) -> np.ndarray:
        """Rows of an array by image number (any order, repeats allowed): (len(indices), ...)."""
        indices = np.asarray(indices, dtype=np.int64)
        if not len(indices):
            return self.chunk(name, 0)[:0]
        result: np.ndarray | None = None
        for number in np.unique(indices // CHUNK):
            here = indices // CHUNK == number
            values = self.chunk(name, int(number))[indices[here] % CHUNK]
            if result is None:
                result = np.empty((len(indices), *values.shape[1:]), values.dtype)
            result[here] = values
        assert result is not None
        return result

    def all(self, name: str) -> np.ndarray:
        """The whole array, (N, ...)."""
        self.chunk(name, 0)  # a UserError when there is none
        return np.concatenate([self.chunk(name, number) for number in range(self.count(name))])
