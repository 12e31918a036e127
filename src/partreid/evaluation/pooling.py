"""Several images as one: a tracklet, or the images that together make a query, pooled to one embedding."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from partreid.errors import choose
from partreid.storage.embeddings import Embeddings, Stored
from partreid.storage.image_table import integers

BLOCK = 4096  # images that are read at once


@dataclass(frozen=True)
class Pool:
    """Images with equal values in the columns `by` become one entry; `how` is a name of POOLINGS.

    The entry has the ids (person, camera, ...) of the first of its images. unit: its part vectors are then brought to
    unit length.
    """

    by: tuple[str, ...]
    how: str
    unit: bool = False


def groups(table: pa.Table, by: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Group number of every row (N,), in order of first appearance, and the first row of each group (G,)."""
    keys = np.stack([integers(table, column) for column in by], 1)
    _, first, group = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return rank[group.ravel()], first[order]


def average(total: np.ndarray, features: np.ndarray) -> np.ndarray:
    """Running sum of features; `pool` divides it."""
    return total + features


def maximum(total: np.ndarray, features: np.ndarray) -> np.ndarray:
    """Running maximum of features."""
    return np.maximum(total, features)


POOLINGS: dict[str, tuple[float, Callable[[np.ndarray, np.ndarray], np.ndarray]]] = {
    "average": (0.0, average),
    "max": (-np.inf, maximum),
}


def pool(
    embeddings: Embeddings | Stored, image_ids: np.ndarray, group: np.ndarray, how: str, unit: bool = False
) -> Embeddings:
    """Pool images image_ids (N,) by their group (N,), 0..G-1, to G embeddings with the image_id of each group's first.

    A part is pooled over the images that show it, and visible where any does. The features are pooled as they are, not
    brought to unit length first; unit: the pooled vector of each part is, afterwards.
    Memory holds the result and one block of images.
    """
    start, together = choose(POOLINGS, how, "pooling")
    count = int(group.max(initial=-1)) + 1
    result: np.ndarray | None = None
    seen: np.ndarray | None = None
    for begin in range(0, len(image_ids), BLOCK):
        here = slice(begin, begin + BLOCK)
        block = embeddings.of(image_ids[here])
        if result is None or seen is None:
            result = np.full((count, *block.features.shape[1:]), start)
            seen = np.zeros((count, block.features.shape[1]))
        for row, g in enumerate(group[here]):
            shown = block.visibility[row] > 0
            result[g, shown] = together(result[g, shown], block.features[row, shown])
            seen[g] += shown
    if result is None or seen is None:
        return embeddings.of(image_ids)
    if how == "average":
        result /= np.maximum(seen, 1)[..., None]
    result[seen == 0] = 0
    if unit:
        length = np.linalg.norm(result, axis=-1, keepdims=True)
        result /= np.where(length == 0, 1, length)
    first = np.unique(group, return_index=True)[1]
    return Embeddings(image_ids[first], result.astype(np.float32), (seen > 0).astype(np.float32), embeddings.header)
