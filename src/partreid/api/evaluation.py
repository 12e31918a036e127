"""How well distances find persons, whoever measured them."""

from collections.abc import Hashable
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from partreid.api.arrays import array
from partreid.errors import UserError
from partreid.evaluation import ranking
from partreid.evaluation.distances import Vectors
from partreid.evaluation.metrics import AVERAGE_PRECISION
from partreid.evaluation.results import of_ranking, summary
from partreid.evaluation.rules import ids, market_rule

UNKNOWN = -1  # a person: junk; a camera: any


def evaluate(
    distances: ArrayLike,
    pids: ArrayLike,
    gallery_pids: ArrayLike | None = None,
    *,
    camids: ArrayLike | None = None,
    gallery_camids: ArrayLike | None = None,
) -> dict[str, float | int]:
    """mAP, mINP and rank-1 to rank-20 of distances by the Market rule: what metrics.json holds of a protocol.

    distances: (Q, G), of who asks from the gallery, smaller is more alike, +inf where nothing can be compared; compared
    as float32. pids (Q,), gallery_pids (G,): who it is, numbers or names; -1 is junk, which is left out. camids (Q,),
    gallery_camids (G,): by which camera, alike; None or -1 where that is unknown, left out where it is unknown of all.
    Without gallery_pids (G = Q) everybody asks for the others, never for itself.

    The Market rule: right is the same person by another camera; the same person by the same camera is left out, and
    without cameras nothing is. Queries without a right answer are skipped, and counted. Distances that are equal have
    no order (partreid.evaluation.metrics.TIES).
    UserError where lengths or numbers cannot be, or nobody has a right answer.
    """
    matrix = _matrix(distances)
    asked, answering = matrix.shape
    alone = gallery_pids is None
    if alone and asked != answering:
        raise UserError(
            f"distances are {asked} x {answering}; those of a set from itself are square: give gallery_pids"
        )
    if alone and gallery_camids is not None:
        raise UserError("gallery_camids were given without gallery_pids; a set against itself has camids alone")
    persons: dict[Hashable, int] = {}
    cameras: dict[Hashable, int] = {}
    where = _numbered("camids", camids, asked, cameras, lacking=True)
    query = _table(_numbered("pids", pids, asked, persons), where, 0)
    gallery = query
    if not alone:
        who = _numbered("gallery_pids", gallery_pids, answering, persons)
        where = _numbered("gallery_camids", gallery_camids, answering, cameras, lacking=True)
        gallery = _table(who, where, asked)
    rows, columns = (np.flatnonzero(side["pid"].to_numpy() != UNKNOWN) for side in (query, gallery))
    query, gallery = query.take(rows), gallery.take(columns)
    of = Vectors(torch.from_numpy(matrix[rows])[:, None], *_nothing(len(rows)))
    to = Vectors(torch.from_numpy(columns)[:, None, None], *_nothing(len(columns)))
    ranked = ranking.rank(of, to, ids(query), ids(gallery), _looked_up, market_rule, top=1)
    result = of_ranking(ranked, query, gallery, AVERAGE_PRECISION["rectangle"])
    if not len(result.query):
        raise UserError(
            "nobody who asks has a right answer in the gallery, so there is nothing to measure: pids of both sides are "
            "to name the persons alike, and a right answer comes from another camera where cameras are known"
        )
    return summary(result)


def _matrix(distances: ArrayLike) -> np.ndarray:
    """float32 (Q, G)."""
    found = array("distances", distances)
    if found.ndim != 2 or found.dtype.kind not in "fiu" or not found.size:
        raise UserError(f"distances are {found.dtype} {found.shape}; expected numbers (Q, G), a row for each who asks")
    with np.errstate(over="ignore"):
        found = found.astype(np.float32, order="C")
    if np.isnan(found).any():
        row, column = np.argwhere(np.isnan(found))[0]
        raise UserError(f"the distance in row {row}, column {column} is NaN; where nothing can be compared give +inf")
    return found


def _numbered(name: str, values: Any, count: int, known: dict[Hashable, int], lacking: bool = False) -> np.ndarray:
    """int32 (count,): each value's number, alike for all that share `known`; -1 stays.

    lacking: whether None and NaN stand for -1, and no values for all of them.
    """
    found = np.full(count, UNKNOWN) if values is None and lacking else array(name, values)
    if found.shape != (count,):
        raise UserError(f"{name} have the shape {found.shape}, expected ({count},): one for each of the distances")
    numbers = np.full(count, UNKNOWN, np.int32)
    for place, value in enumerate(found.tolist()):
        nothing = value is None or value != value
        if nothing and lacking:
            continue
        if nothing or not isinstance(value, str | int | float):
            raise UserError(
                f"entry {place} of {name} is {value!r}, expected a number or a name; -1 where it is unknown"
            )
        if value not in (UNKNOWN, str(UNKNOWN)):
            numbers[place] = known.setdefault(value, len(known))
    return numbers


def _table(pids: np.ndarray, camids: np.ndarray, start: int) -> pa.Table:
    """What the rules look at; images are numbered from `start`."""
    numbers = np.arange(start, start + len(pids), dtype=np.int32)
    return pa.table({"image_id": numbers, "pid": pids, "camid": camids, "clothes_id": np.full_like(pids, -1)})


def _nothing(count: int) -> tuple[Tensor, Tensor]:
    """Visibility and norms of what is looked up, not computed."""
    return torch.ones(count, 1), torch.zeros(count, 1)


def _looked_up(query: Vectors, gallery: Vectors) -> Tensor:
    """A distance that was given, as partreid.evaluation.distances has them.

    Who asks has its row of the matrix for features, who answers the number of its column.
    """
    return query.features[:, 0].index_select(1, gallery.features[:, 0, 0])
