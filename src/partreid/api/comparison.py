"""Distances and ranks of embedded people."""

import numpy as np
import torch
from torch import Tensor

from partreid.api.people import People, comparable
from partreid.errors import UserError, choose, positive
from partreid.evaluation.distances import DISTANCES, Distance, tensors
from partreid.evaluation.ranking import GALLERY, QUERIES, shuffled
from partreid.search.nearest import Hits, nearest


def distance(people: People, others: People) -> np.ndarray:
    """The method's own distance of everybody from everybody: float32 (N, M), 0 or more, smaller is more alike.

    The numbers are those of `rank`, bit for bit, rounded as partreid.evaluation.distances says: a photo may be up to
    some 1e-3 of its vector's length from itself instead of 0. +inf where two photos show no common part. UserError when
    they were embedded by different networks.
    """
    comparable(people, others)
    return _distance(people, others).numpy()


def rank(people: People, gallery: People, top: int = 20) -> Hits:
    """The nearest of a gallery for each of N people, nearest first.

    Returns `row`, int64 (N, k): rows of the gallery, and `distance`, float32 (N, k); k is `top`, or the size of a
    smaller gallery. Every distance is computed, in bounded memory; ties come in the evaluator's order.
    """
    comparable(people, gallery)
    top = positive(top, "top")
    if not len(gallery):
        raise UserError("the gallery is empty")
    if few(people, gallery):
        order = np.argsort(shuffled(len(gallery)))  # among the tied
        found = _distance(people, gallery).numpy()[:, order]
        first = np.argsort(found, axis=1, kind="stable")[:, :top]
        return Hits(order[first], np.take_along_axis(found, first, 1))
    return nearest(tensors(people), tensors(gallery), _measure(people), top)


def few(people: People, others: People) -> bool:
    """Whether they would fill less than an eighth of a block: one photo in a gallery, or what a tracker compares.

    The evaluator fills blocks up with zeros, which take as long as photos do: of 10 x 12 six parts 70 ms in place of 2.
    """
    return 8 * len(people) * min(len(others), GALLERY) < QUERIES * GALLERY


def _distance(people: People, others: People) -> Tensor:
    """float32 (N, M), in the evaluator's blocks unless they are few."""
    measure, rows, columns = _measure(people), tensors(people), tensors(others)
    whole = not few(people, others)
    found = torch.empty(len(people), len(others))
    for top in range(0, len(people), QUERIES):
        for left in range(0, len(others), GALLERY):
            tile = found[top : top + QUERIES, left : left + GALLERY]
            height, width = tile.shape
            sizes = (QUERIES, GALLERY) if whole else (height, width)
            block = measure(rows.rows(top, sizes[0]), columns.rows(left, sizes[1]))
            tile.copy_(block[:height, :width])
    return found


def _measure(people: People) -> Distance:
    return choose(DISTANCES, people.distance, "distance")
