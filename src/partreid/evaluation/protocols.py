"""Who is ranked against whom, and what counts as right: every benchmark's protocols by name.

A protocol picks query and gallery rows of the image table, and tells for any query and gallery entry whether the entry
is a *match* (good), *ignored* (junk: taken out of that query's ranking), or neither (wrong). Both answers follow from
the two entries' own numbers, so they are made block by block and never stored for all pairs.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from partreid.records import DISTRACTOR, JUNK, integers


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


def _same_camera(query: Ids, gallery: Ids) -> Tensor:
    """Seen by the same camera, or the very same image."""
    return ((query.camera == gallery.camera) & (query.camera >= 0)) | (query.image == gallery.image)


Pick = Callable[[pa.Table], np.ndarray]  # image table -> bool (N,)


def queries(table: pa.Table) -> np.ndarray:
    """Images of the query split that are somebody."""
    return _split(table, "query") & (integers(table, "pid") > JUNK)


def gallery(table: pa.Table) -> np.ndarray:
    """Images of the gallery split without junk, which is junk for every query and so never ranked."""
    return _split(table, "gallery") & (integers(table, "pid") > JUNK)


def persons_only(table: pa.Table) -> np.ndarray:
    """Queries of a benchmark where pid 0 stands for distractors."""
    return queries(table) & (integers(table, "pid") != DISTRACTOR)


def occluded_queries(table: pa.Table) -> np.ndarray:
    """Queries that something hides in part; an image of which that is not known is left out."""
    return queries(table) & table["occluded"].fill_null(False).to_numpy()


def _split(table: pa.Table, name: str) -> np.ndarray:
    return pa.compute.equal(table["split"], name).to_numpy()


@dataclass(frozen=True)
class Protocol:
    """One way to evaluate a data set.

    text: the protocol in full words, written into every result. query, gallery: which rows of the table take part.
    relation: which entries of the gallery are right or ignored for a query.
    """

    text: str
    query: Pick
    gallery: Pick
    relation: Relation


MARKET = (
    "single query; gallery images of the same person seen by the same camera are removed per query, the rest of the "
    "same person is right; junk (pid -1) is removed for all; queries without a right answer are skipped"
)

# Sources and variants.
# market1501: Zheng et al., ICCV 2015, and its MATLAB evaluator: pid -1 is removed, pid 0 (distractors) stays and is
#   always wrong. The MATLAB code averages the trapezoid AP over all queries; most later code takes the rectangle AP
#   over the queries that have a match (every query of Market-1501 has one).
# same-clothes, cross-clothes: the cloth-changing setting of LTCC (Qian et al., ACCV 2020) and the same-clothes one some
#   papers report beside it, applied per query on the whole test set. Variants: cutting the gallery to persons who
#   change clothes first (a smaller gallery, higher numbers); removing everybody's images of the query's camera.
# occluded-query: as Occluded-Duke (Miao et al., ICCV 2019), occluded queries against an ordinary gallery, some of whose
#   images are occluded too. Variant: a gallery of whole bodies only (Occluded-REID).
# folder: the Market rule. Own photos without cameras: nothing is removed but the query image itself.
PROTOCOLS: dict[str, dict[str, Protocol]] = {
    "synthetic": {
        "general": Protocol(f"rendered people, Market rule: {MARKET}", queries, gallery, market_rule),
        "same-clothes": Protocol(
            "rendered people, same clothes: single query; right are the same person's images by another camera in the "
            "same clothes; the person's other images are removed; queries without a right answer are skipped",
            queries,
            gallery,
            same_clothes_rule,
        ),
        "cross-clothes": Protocol(
            "rendered people, cross clothes: single query; right are the same person's images by another camera in "
            "other clothes; the person's other images are removed; queries without a right answer are skipped",
            queries,
            gallery,
            cross_clothes_rule,
        ),
        "occluded-query": Protocol(
            f"rendered people, occluded queries against the whole gallery, Market rule: {MARKET}",
            occluded_queries,
            gallery,
            market_rule,
        ),
    },
    "market1501": {
        "market": Protocol(
            f"Market-1501: {MARKET}; distractors (pid 0) stay and are wrong", persons_only, gallery, market_rule
        ),
    },
    "folder": {
        "photos": Protocol(
            f"own photos, Market rule: {MARKET}; an image without a camera is compared with all others",
            queries,
            gallery,
            market_rule,
        ),
    },
}
