"""Rows of a tool's output, as the work of a label needs them in every process."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from partreid.storage import chunks


def read(native: Path, names: Sequence[str], start: int, stop: int) -> list[np.ndarray]:
    """The named members of images start..stop-1, each (stop - start, ...), of a tool's output."""
    return rows(native, names, np.arange(start, stop))


def rows(file: Path, names: Sequence[str], wanted: np.ndarray) -> list[np.ndarray]:
    """The named members' rows `wanted`, int (n,), each (n, ...), of a file of partreid.storage.chunks."""
    reader = _reader(file.absolute(), file.stat().st_mtime_ns if file.exists() else 0)
    return [reader.rows(name, wanted) for name in names]


@lru_cache(maxsize=2)  # a label and the tool beside it; a file that was written anew is opened anew
def _reader(file: Path, _written: int) -> chunks.Reader:
    return chunks.Reader(file)
