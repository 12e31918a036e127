"""The nearest neighbours of every image among all images, and single distances, block by block.

Distances are taken to be symmetric, so each pair of blocks is measured once, and only the lists are kept: O(N k).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from partreid.evaluation.distances import Distance, Vectors
from partreid.evaluation.ranking import Source, shuffled

BLOCK = 1024  # images in a block
PAIRS = 64  # pairs that are measured together, as the distances of all their images: at most PAIRS**2


@dataclass(frozen=True)
class Neighbours:
    """The k nearest of each of N images, itself among them. All on the CPU.

    index: int32 (N, k), nearest first, equally near ones in a fixed random order of the images (ranking.shuffled); -1
    past the end of a list that is shorter, because the image shares no part (distance +inf) with any other. distance:
    float32 (N, k), theirs, or +inf.
    farthest: float32 (N,), the largest finite distance to any image (0 when there is none).
    """

    index: np.ndarray
    distance: np.ndarray
    farthest: np.ndarray


@dataclass(frozen=True)
class Stack:
    """Several sources as one: images 0 .. N - 1 are those of the first source, then those of the second, ..."""

    sources: tuple[Source, ...]

    def __len__(self) -> int:
        return sum(len(source) for source in self.sources)

    def starts(self) -> list[int]:
        """Where the blocks begin, and N. A block is BLOCK images, or fewer, of a single source."""
        starts: list[int] = []
        offset = 0
        for source in self.sources:
            starts += range(offset, offset + len(source), BLOCK)
            offset += len(source)
        return [*starts, offset]

    def rows(self, start: int, stop: int) -> Vectors:
        """Images start .. stop - 1, all of one source."""
        for source in self.sources:
            if start < len(source):
                return source.rows(start, stop - start)
            start, stop = start - len(source), stop - len(source)
        raise IndexError(start)


def nearest(stack: Stack, distance: Distance, k: int) -> Neighbours:
    """The k nearest of each image, or all N where N < k. Every block is read once for each one before it."""
    starts = stack.starts()
    total = len(stack)
    device = stack.rows(0, 1).norms.device if total else "cpu"
    index = torch.full((total, min(k, total)), -1, dtype=torch.int32, device=device)
    near = torch.full(index.shape, torch.inf, device=device)
    farthest = torch.zeros(total, device=device)
    order = torch.from_numpy(shuffled(total)).to(device)
    for number, (top, bottom) in enumerate(pairwise(starts)):
        upper = stack.rows(top, bottom)
        for left, right in pairwise(starts[number:]):
            tile = distance(upper, stack.rows(left, right))  # (bottom - top, right - left)
            finite = tile if tile.max() < torch.inf else tile.masked_fill(tile == torch.inf, 0)
            sides = [(slice(top, bottom), 1, left, tile), (slice(left, right), 0, top, tile.T)]
            for rows, along, first, side in sides[: 1 if left == top else 2]:
                farthest[rows] = torch.maximum(farthest[rows], finite.amax(along))
                _merge(index[rows], near[rows], side, first, order)
    return Neighbours(index.cpu().numpy(), near.cpu().numpy(), farthest.cpu().numpy())


def _merge(index: Tensor, near: Tensor, tile: Tensor, first: int, place: Tensor) -> None:
    """Enter distances (b, m) to images first .. first + m - 1 into lists (b, k) of the nearest so far, in place.

    place: int64 (N,), of each image among those that are equally near.
    """
    k = near.shape[1]
    limit = near[:, -1].clone()  # what is as near gets in
    unfilled = limit == torch.inf
    if tile.shape[1] > k and unfilled.any():  # let in no more than needed
        limit[unfilled] = tile[unfilled].kthvalue(k, 1).values
    limit.clamp_(max=torch.finfo(limit.dtype).max)  # but for what is infinitely far
    if tile.is_contiguous():
        row, column = (tile <= limit[:, None]).nonzero(as_tuple=True)
    else:  # a transposed tile: searched as it lies in memory
        lying = tile.T
        column, row = (lying <= limit).nonzero(as_tuple=True)
        row, order = row.sort(stable=True)
        column = column[order]
    if not len(row):
        return
    count = torch.bincount(row, minlength=len(near))
    slot = torch.arange(len(row), device=row.device) - (count.cumsum(0) - count)[row] + k  # behind those known
    changed = count.nonzero()[:, 0]
    number = count.bool().cumsum(0) - 1  # of a row among the changed ones
    width = k + int(count.max())
    values = near.new_full((len(changed), width), torch.inf)
    images = index.new_full((len(changed), width), -1)
    values[:, :k], images[:, :k] = near[changed], index[changed]
    values[number[row], slot] = tile[row, column]
    images[number[row], slot] = (column + first).int()
    order = place[images.clamp(min=0)].argsort(1)  # where an image is missing the distance is infinite, which is last
    values, images = values.gather(1, order), images.gather(1, order)
    values, order = values.sort(stable=True)
    near[changed], index[changed] = values[:, :k], images.gather(1, order[:, :k])


def between(stack: Stack, distance: Distance, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Distances of n pairs of images, int64 (n,) each: float32 (n,)."""
    found = np.empty(len(first), np.float32)
    for (top, bottom), (left, right), pairs in _tiles(stack.starts(), first, second):
        upper, lower = stack.rows(top, bottom), stack.rows(left, right)
        for part in np.split(pairs, range(PAIRS, len(pairs), PAIRS)):
            rows, row = np.unique(first[part] - top, return_inverse=True)
            columns, column = np.unique(second[part] - left, return_inverse=True)
            values = distance(_take(upper, rows), _take(lower, columns)).cpu().numpy()
            found[part] = values[row, column]
    return found


Span = tuple[int, int]


def _tiles(starts: list[int], first: np.ndarray, second: np.ndarray) -> Iterator[tuple[Span, Span, np.ndarray]]:
    """Pairs by the blocks that their two images lie in: both blocks, and which pairs, sorted by the first image."""
    rows, columns = (np.searchsorted(starts, side, side="right") - 1 for side in (first, second))
    order = np.lexsort((second, first, columns, rows))
    change = np.diff(rows[order]) | np.diff(columns[order])
    for pairs in np.split(order, np.flatnonzero(change) + 1):
        if len(pairs):
            row, column = rows[pairs[0]], columns[pairs[0]]
            yield (starts[row], starts[row + 1]), (starts[column], starts[column + 1]), pairs


def _take(block: Vectors, rows: np.ndarray) -> Vectors:
    index = torch.from_numpy(rows).to(block.norms.device)
    return Vectors(block.features[index], block.visibility[index], block.norms[index])
