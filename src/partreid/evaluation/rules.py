"""What counts as right: rules on a query's and a gallery entry's own numbers.

A rule tells whether an entry is a *match* (good), *ignored* (junk: taken out of that query's ranking), or neither
(wrong). Both answers follow from the two entries' own numbers, so they are made block by block and never stored for all
pairs.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from partreid.storage.image_table import integers


@dataclass(frozen=True)
class Ids:
    """What a rule may look at: int32 tensors of one shape, -1 where the table has null.

    image: image_id. pid: person. camera: camid. clothes: clothes_id.
    """

    image: Tensor
    pid: Tensor
    camera: Tensor
    clothes: Tensor

    def __len__(self) -> int:
        return len(self.pid)

    def at(self, index: slice | Tensor | tuple) -> "Ids":
        """Every column indexed alike; `[:, None]` and the like make columns that broadcast against another Ids."""
        return Ids(self.image[index], self.pid[index], self.camera[index], self.clothes[index])


def ids(table: pa.Table) -> Ids:
    """The ids of all rows of an image table, each (N,)."""
    columns = (integers(table, name) for name in ("image_id", "pid", "camid", "clothes_id"))
    return Ids(*(torch.from_numpy(column.astype(np.int32)) for column in columns))


Relation = Callable[[Ids, Ids], tuple[Tensor, Tensor]]  # -> match, ignored: bool, the broadcast shape


def market_rule(query: Ids, gallery: Ids) -> tuple[Tensor, Tensor]:
    """Match: same person, other camera. Ignored: same person and same camera.

    Images without a camera share it with none, so nothing is ignored for it; but no image ever meets itself.
    """
    person = query.pid == gallery.pid
    match = person & ~_same_camera(query, gallery)
    return match, person & ~match


def same_clothes_rule(query: Ids, gallery: Ids) -> tuple[Tensor, Tensor]:
    """Match: same person, other camera, same clothes. Ignored: the person's other images."""
    person = query.pid == gallery.pid
    clothes = (query.clothes == gallery.clothes) & (query.clothes >= 0)
    match = person & clothes & ~_same_camera(query, gallery)
    return match, person & ~match


def cross_clothes_rule(query: Ids, gallery: Ids) -> tuple[Tensor, Tensor]:
    """Match: same person, other camera, other clothes. Ignored: the person's other images."""
    person = query.pid == gallery.pid
    clothes = (query.clothes != gallery.clothes) & (query.clothes >= 0) & (gallery.clothes >= 0)
    match = person & clothes & ~_same_camera(query, gallery)
    return match, person & ~match


def other_cameras_rule(query: Ids, gallery: Ids) -> tuple[Tensor, Tensor]:
    """Match: same person, other camera. Ignored: everybody's images by the query's camera."""
    same = _same_camera(query, gallery)
    return (query.pid == gallery.pid) & ~same, same.expand(torch.broadcast_shapes(query.pid.shape, gallery.pid.shape))


def _same_camera(query: Ids, gallery: Ids) -> Tensor:
    """Seen by the same camera, or the very same image."""
    return ((query.camera == gallery.camera) & (query.camera >= 0)) | (query.image == gallery.image)
