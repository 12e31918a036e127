"""Readers: one per benchmark, a function root folder -> image table (partreid.records)."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from partreid.datasets import folder, market1501, synthetic

READERS: dict[str, Callable[[Path], pa.Table]] = {
    "folder": folder.read,
    "market1501": market1501.read,
    "synthetic": synthetic.read,
}
