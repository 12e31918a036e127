"""What counts as right: rules on a query's and a gallery entry's own numbers.

A rule tells whether an entry is a *match* (good), *ignored* (junk: taken out of that query's ranking), or neither
(wrong). Both answers follow from the two entries' own numbers, so they are made block by block and never stored for all
pairs; and they are asked only of the few pairs that a rule *concerns*.
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


@dataclass(frozen=True)
class Relation:
    """A rule, called on two Ids that broadcast: match, ignored, bool of the broadcast shape.

    judge: these. concerns: which pairs can be one of the two, bool; every other pair is wrong.
    """

    judge: Callable[[Ids, Ids], tuple[Tensor, Tensor]]
    concerns: Callable[[Ids, Ids], Tensor]

    def __call__(self, query: Ids, gallery: Ids) -> tuple[Tensor, Tensor]:
        return self.judge(query, gallery)

    def among(self, query: Ids, gallery: Ids) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Row and column, int64 (n,), of the pairs of Q query and G gallery entries that are concerned; match, ignored.

        In the order of rows, then columns.
        """
        row, column = self.concerns(query.at((slice(None), None)), gallery.at((None, slice(None)))).nonzero().unbind(1)
        return row, column, *self.judge(query.at(row), gallery.at(column))


def same_person(query: Ids, gallery: Ids) -> Tensor:
    """Pairs of the same person: all that most rules concern."""
    return query.pid == gallery.pid


def _market(query: Ids, gallery: Ids) -> tuple[Tensor, Tensor]:
    """Match: same person, other camera. Ignored: same person and same camera.

    Images without a camera share it with none, so nothing is ignored for it; but no image ever meets itself.
    """
    person = same_person(query, gallery)
    match = person & ~_same_camera(query, gallery)
    return match, person & ~match


def _same_clothes(query: Ids, gallery: Ids) -> tuple[Tensor, Tensor]:
    """Match: same person, other camera, same clothes. Ignored: the person's other images."""
    person = same_person(query, gallery)
    clothes = (query.clothes == gallery.clothes) & (query.clothes >= 0)
    match = person & clothes & ~_same_camera(query, gallery)
    return match, person & ~match


def _cross_clothes(query: Ids, gallery: Ids) -> tuple[Tensor, Tensor]:
    """Match: same person, other camera, other clothes. Ignored: the person's other images."""
    person = same_person(query, gallery)
    clothes = (query.clothes != gallery.clothes) & (query.clothes >= 0) & (gallery.clothes >= 0)
    match = person & clothes & ~_same_camera(query, gallery)
    return match, person & ~match


def _other_cameras(query: Ids, gallery: Ids) -> tuple[Tensor, Tensor]:
    """Match: same person, other camera. Ignored: everybody's images by the query's camera."""
    same = _same_camera(query, gallery)
    person = same_person(query, gallery)
    return person & ~same, same.expand_as(person)


def _same_camera(query: Ids, gallery: Ids) -> Tensor:
    """Seen by the same camera, or the very same image."""
    return ((query.camera == gallery.camera) & (query.camera >= 0)) | (query.image == gallery.image)


market_rule = Relation(_market, same_person)
same_clothes_rule = Relation(_same_clothes, same_person)
cross_clothes_rule = Relation(_cross_clothes, same_person)
other_cameras_rule = Relation(
    _other_cameras, lambda query, gallery: same_person(query, gallery) | _same_camera(query, gallery)
)
