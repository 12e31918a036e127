"""Rows of a tool's output, as the work of a label needs them in every process."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from partreid import chunks


def read(native: Path, names: Sequence[str], start: int, stop: int) -> list[np.ndarray]:
    """The named members of images start..stop-1, each (stop - start, ...), of a tool's output."""
    rows = np.arange(start, stop)
    return [_reader(native).rows(name, rows) for name in names]


@lru_cache(maxsize=2)  # a label and the tool beside it
def _reader(native: Path) -> chunks.Reader:
    return chunks.Reader(native)
