"""The nearest images of a gallery by a method's own distance."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from partreid.evaluation import ranking
from partreid.evaluation.distances import Distance, Vectors
from partreid.evaluation.rules import Ids, Relation


@dataclass(frozen=True)
class Hits:
    """The first images for each of Q queries. row: int64 (Q, k), gallery rows, -1 past the end of a shorter list.

    distance: float32 (Q, k), ascending; +inf where no part could be compared, NaN past the end.
    """

    row: np.ndarray
    distance: np.ndarray


def nearest(query: Vectors, gallery: ranking.Source, distance: Distance, top: int) -> Hits:
    """Every distance, in bounded memory: the order of the evaluator, bit for bit, ties in its fixed random order.

    k is `top`, or the size of a smaller gallery.
    """
    ranked = ranking.rank(query, gallery, _nobody(len(query)), _nobody(len(gallery)), distance, PLAIN, top)
    return Hits(ranked.top.numpy(), ranked.distance.numpy())


def _nobody(count: int) -> Ids:
    none = torch.full((count,), -1, dtype=torch.int32)
    return Ids(none, none, none, none)


def _nothing(query: Ids, gallery: Ids) -> Tensor:
    return torch.zeros(torch.broadcast_shapes(query.pid.shape, gallery.pid.shape), dtype=torch.bool)


# nothing is known to be right and nothing is left out
PLAIN = Relation(lambda query, gallery: (_nothing(query, gallery), _nothing(query, gallery)), _nothing)


class Rows(Protocol):
    """A gallery of which single images can be read quickly: partreid.search.unpacked."""

    def __len__(self) -> int:
        """How many images."""

    def take(self, rows: np.ndarray) -> Vectors:
        """Images by row, int64 (n,)."""


def rescored(query: Vectors, gallery: Rows, candidates: np.ndarray, distance: Distance, top: int) -> Hits:
    """The first of a short list by the exact distance, ties in the evaluator's fixed random order.

    candidates: int64 (Q, c), gallery rows in any order, -1 for none.
    """
    place = ranking.shuffled(len(gallery))
    row = np.full((len(query), top), -1, np.int64)
    values = np.full((len(query), top), np.nan, np.float32)
    for number, some in enumerate(candidates):
        rows = np.unique(some[some >= 0])
        rows = rows[np.argsort(place[rows])]  # an order that the stable sort keeps among the tied
        exact = distance(query.rows(number, 1), gallery.take(rows))[0].numpy()  # (c,)
        order = np.argsort(exact, kind="stable")[:top]
        row[number, : len(order)], values[number, : len(order)] = rows[order], exact[order]
    return Hits(row, values)
