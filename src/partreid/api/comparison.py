"""Distances and ranks of embedded people."""

import numpy as np
import torch

from partreid.api.people import People, comparable
from partreid.errors import UserError, choose, positive
from partreid.evaluation.distances import DISTANCES, tensors
from partreid.evaluation.ranking import GALLERY, QUERIES
from partreid.search.nearest import Hits, nearest


def distance(people: People, others: People) -> np.ndarray:
    """The method's own distance of everybody from everybody: float32 (N, M), 0 or more, smaller is more alike.

    The numbers are those of `rank`, bit for bit, rounded as partreid.evaluation.distances says: a photo may be up to
    some 1e-3 of its vector's length from itself instead of 0. +inf where two photos show no common part. UserError when
    they were embedded by different networks.
    """
    comparable(people, others)
    measure = choose(DISTANCES, people.distance, "distance")
    rows, columns = tensors(people), tensors(others)
    found = torch.empty(len(people), len(others))
    for top in range(0, len(people), QUERIES):
        for left in range(0, len(others), GALLERY):
            tile = found[top : top + QUERIES, left : left + GALLERY]
            height, width = tile.shape
            tile.copy_(measure(rows.rows(top, QUERIES), columns.rows(left, GALLERY))[:height, :width])
    return found.numpy()


def rank(people: People, gallery: People, top: int = 20) -> Hits:
    """The nearest of a gallery for each of N people, nearest first.

    Returns `row`, int64 (N, k): rows of the gallery, and `distance`, float32 (N, k); k is `top`, or the size of a
    smaller gallery. Every distance is computed, in bounded memory; ties come in the evaluator's order.
    """
    comparable(people, gallery)
    top = positive(top, "top")
    if not len(gallery):
        raise UserError("the gallery is empty")
    return nearest(tensors(people), tensors(gallery), choose(DISTANCES, people.distance, "distance"), top)
