"""What a tool is, and what it is given to look at."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from partreid.storage.pieces import Program, Work


@dataclass(frozen=True)
class Images:
    """A data set as a tool sees it."""

    dataset: str  # its name in params.yaml
    table: pa.Table  # partreid.storage.image_table
    sha256: str  # of the table's file
    root: Path  # the folder that the table's paths are relative to
    file: Path  # the table's file

    def paths(self) -> list[str]:
        """The images' paths, relative to `root`, in table order."""
        return self.table["path"].to_pylist()

    def digests(self) -> list[str]:
        """The SHA-1 of the images' files: equal ones are the same image under two paths."""
        return self.table["sha1"].to_pylist()

    def sizes(self) -> np.ndarray:
        """int64 (N, 2): height and width in pixels."""
        return np.stack([self.table["height"].to_numpy(), self.table["width"].to_numpy()], 1).astype(np.int64)


@dataclass(frozen=True)
class Tool:
    """An entry of partreid.tools.TOOLS."""

    build: Callable[..., tuple[dict[str, Any], Work | Program]]  # build(images, *, options) -> (header, work)
    gives: tuple[str, ...]  # members of its output beside status and score
    processes: int | None = None  # None: one per core; 1: the work itself uses all cores or the GPU
    choices: Mapping[str, Collection[Any]] = field(default_factory=dict)  # option -> its possible values, where few
