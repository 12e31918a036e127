"""The images of a data set, for people."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from partreid import params
from partreid.errors import UserError, choose
from partreid.storage import image_table, places
from partreid.tools.reading import picture


@dataclass(frozen=True)
class Images:
    """A data set whose labels are looked at."""

    name: str
    file: Path  # of the image table
    table: pa.Table  # partreid.storage.image_table
    root: Path  # the folder that the table's paths are relative to

    def __len__(self) -> int:
        return len(self.table)

    def splits(self) -> np.ndarray:
        """Strings (N,)."""
        return np.array(self.table["split"].to_pylist())

    def path(self, row: int) -> str:
        """Relative to the root."""
        return self.table["path"][row].as_py()

    def read(self, row: int) -> np.ndarray | None:
        """uint8 RGB (H, W, 3) in the file's own size; None when it cannot be read."""
        return picture(self.root / self.path(row))

    def need_root(self) -> None:
        """UserError when the folder with the images is not there."""
        if not self.root.is_dir():
            raise UserError(f"no folder {self.root} with the images of {self.name}; set `raw` in params.yaml")


def open_images(name: str, p: params.Params) -> Images:
    """UserError when the data set is not in params.yaml or has no image table yet."""
    choose(dict.fromkeys(p.datasets), name, "data set (`datasets` in params.yaml)")
    file = places.index(name)
    return Images(name, file, image_table.read(file), p.root(name))
