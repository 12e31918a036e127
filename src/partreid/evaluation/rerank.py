"""k-reciprocal re-ranking (Zhong et al., CVPR 2017, section 3), exact, without any N x N array.

    query, gallery, distance = reranked(query, gallery, "cosine", k1=20, k2=6, original=0.3, half="python")
    ranking.rank(query, gallery, query_ids, gallery_ids, distance, relation)

N = Q + G images, queries first, are compared with each other. With d the squared distance of two images:
  scaled  d*(i, j) = d(i, j) / max_j d(i, j), each row of the N x N matrix divided by its own maximum;
  R(i)    the k-reciprocal neighbours: j among the k1 + 1 nearest of i (i itself is one of them), and i among those of
          j (Eq. 2); H(i), alike, of half the length;
  R*(i)   R(i), and H(c) of every c in R(i) of which more than 2/3 lie in R(i) (Eq. 4);
  V       row i: exp(-d*(i, j)) for j in R*(i), 0 elsewhere, divided by their sum (Eq. 7);
          then, unless k2 = 1, the mean of the rows of i's k2 nearest (Eq. 11);
  J(q, g) = 1 - s / (2 - s), s = sum_j min(V[q, j], V[g, j]) (Eq. 10);
  result  (1 - lambda) J(q, g) + lambda d*(q, g) (Eq. 12; lambda is `original` here).

The equations leave things open that the authors' MATLAB code and its Python port settle: the +1, the strict 2/3, the
division of V by its sum, squares, the scaling, that k2 = 1 means no expansion. Both agree on these. They do not on the
length of H's lists for k1 = 3, 7, 11, ..., hence `half`.

Where these codes leave the result to chance or to NaN: equally near neighbours count in a fixed random order of the
images (in that of the rows, which follows the persons, ties could win); rows whose maximum is 0 are scaled to 0; k1 and
k2 are cut to the images there are. Images that share no part (distance +inf) are never neighbours, and are as far apart
as the farthest that do: d* = 1.

Memory: the neighbour lists, N (k1 + 1) entries, and the sparse V, N times a few k1. Equal float32 results tie as the
ranking says. Neighbours that are equally near but for rounding may be taken in another order by another machine.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from partreid.errors import UserError, choose
from partreid.evaluation.distances import DISTANCES, Distance, Vectors
from partreid.evaluation.neighbours import Neighbours, Stack, between, nearest
from partreid.evaluation.ranking import Source

ROWS = 4096  # rows of a sparse product at a time
TOGETHER = 32  # queries whose minima are added up together

# The power of a distance that is, but for a factor, a squared Euclidean distance. 1 - cos is half that of the vectors
# of length 1, and the factor goes with the scaling. Squaring it, as tools do that treat all distances alike, differs.
POWERS = {"cosine": 1, "euclidean": 2, "parts": 2}


def half_matlab(k1: int) -> int:
    """round((k1 + 1) / 2), halves up: the authors' MATLAB code."""
    return k1 // 2 + 1


def half_python(k1: int) -> int:
    """around(k1 / 2) + 1, halves to even: the Python port that most tools carry. Longer by 1 for k1 = 3, 7, 11, ..."""
    return round(k1 / 2) + 1


HALVES: dict[str, Callable[[int], int]] = {"matlab": half_matlab, "python": half_python}


@dataclass(frozen=True)
class Placed(Vectors):
    """Vectors that know where they stand among all queries or all of the gallery: `start`, place of the first row."""

    start: int

    def rows(self, start: int, count: int) -> "Placed":
        """See Vectors."""
        return _placed(super().rows(start, count), self.start + start)


def _placed(block: Vectors, start: int) -> Placed:
    return Placed(block.features, block.visibility, block.norms, start)


@dataclass(frozen=True)
class PlacedSource:
    """A ranking.Source whose blocks are Placed."""

    source: Source

    def __len__(self) -> int:
        return len(self.source)

    def rows(self, start: int, count: int) -> Placed:
        """See ranking.Source."""
        return _placed(self.source.rows(start, count), start)


def check(k1: int, k2: int, original: float, half: str) -> None:
    """UserError when the values make no sense."""
    choose(HALVES, half, "length of half lists (rerank half)")
    if k1 < 1 or k2 < 1 or not 0 <= original <= 1:
        raise UserError(
            f"re-ranking with k1 {k1}, k2 {k2}, original {original}: k1 and k2 are at least 1, original is between 0 "
            "and 1; the paper takes 20, 6 and 0.3"
        )


def described(k1: int, k2: int, original: float, half: str) -> str:
    """What a protocol's text says of results ranked by re-ranked distances."""
    return f"k-reciprocal re-ranking with k1 {k1}, k2 {k2}, lambda {original}, half lists as the {half} code"


def reranked(
    query: Vectors,
    gallery: Source,
    distance: str,
    k1: int = 20,
    k2: int = 6,
    original: float = 0.3,
    half: str = "python",
) -> tuple[Placed, PlacedSource, Distance]:
    """What ranking.rank takes to rank by re-ranked distances: the same query and gallery, and their new distance.

    distance: a name of DISTANCES. k1: neighbours that may be reciprocal. k2: neighbours that are averaged, 1 for none.
    original: weight of the original distance, the paper's lambda. half: a name of HALVES.
    Time: half of the N**2 distances, and a little; ranking then takes that of query against gallery once more.
    UserError: see `check`.
    """
    check(k1, k2, original, half)
    measure = choose(DISTANCES, distance, "distance")
    stack = Stack((query, gallery))
    known = nearest(stack, measure, max(k1 + 1, k2))
    members = expanded(known.index[:, : k1 + 1], known.index[:, : HALVES[half](k1)])
    code = _encode(stack, measure, POWERS[distance], known, members)
    if k2 != 1:
        code = _average(code, known.index[:, :k2])
    final = Reranked(measure, POWERS[distance], original, known.farthest, code[: len(query)], code[len(query) :])
    return _placed(query, 0), PlacedSource(gallery), final


@dataclass(frozen=True)
class Reranked:
    """The re-ranked distance of Placed blocks: a Distance, between 0 and 1.

    distance, power, original: as above. farthest: float32 (N,), of Neighbours. query: sparse float32 (Q, N), gallery:
    sparse float32 (G, N): V.
    """

    distance: Distance
    power: int
    original: float
    farthest: np.ndarray
    query: sparse.csr_array
    gallery: sparse.csr_array

    def __call__(self, query: Vectors, gallery: Vectors) -> Tensor:
        """float32 (q, g), on the blocks' device."""
        if not (isinstance(query, Placed) and isinstance(gallery, Placed)):
            raise TypeError("re-ranked distances exist only between blocks of the query and gallery of `reranked`")
        shape = len(query), len(gallery)  # may go past the end
        upper = self.query[query.start : query.start + shape[0]]
        left = self.gallery[gallery.start : gallery.start + shape[1]]
        shared = torch.zeros(shape)
        shared[: upper.shape[0], : left.shape[0]] = torch.from_numpy(minima(upper, left))
        farthest = torch.ones(shape[0])
        farthest[: upper.shape[0]] = torch.from_numpy(self.farthest[query.start : query.start + upper.shape[0]])

        tile = self.distance(query, gallery)
        shared, farthest = shared.to(tile.device), farthest.to(tile.device)
        scaled = tile.div_(farthest[:, None]).nan_to_num_(nan=0, posinf=1).pow_(self.power)
        jaccard = 1 - shared / (2 - shared)
        return scaled.mul_(self.original).add_(jaccard, alpha=1 - self.original)


def expanded(lists: np.ndarray, half_lists: np.ndarray) -> sparse.csr_array:
    """R*: nonzero at (i, j) for j in R*(i). lists: int32 (N, k1 + 1), nearest first, -1 for none; half_lists alike."""
    near, half = reciprocal(lists), reciprocal(half_lists)
    size = half.sum(1)  # (N,)
    parts = [sparse.csr_array((0, len(lists)), dtype=np.int32)]
    for start in range(0, len(lists), ROWS):
        own = near[start : start + ROWS]
        overlap = ((own @ half) * own).tocsr()  # (i, c): how much of H(c) lies in R(i), for c in R(i); H is symmetric
        overlap.data = (3 * overlap.data > 2 * size[overlap.indices]).astype(np.int32)
        parts.append(own + overlap @ half)
    members = sparse.vstack(parts, format="csr")
    members.eliminate_zeros()
    members.sort_indices()
    return members


def reciprocal(lists: np.ndarray) -> sparse.csr_array:
    """1 at (i, j) where j is in the list of i and i in that of j. lists: int32 (N, k), -1 for none. Symmetric."""
    total, k = lists.shape
    there = lists.ravel() >= 0
    pairs = np.repeat(np.arange(total), k)[there], lists.ravel()[there]
    listed = sparse.csr_array((np.ones(len(pairs[0]), np.int32), pairs), (total, total))
    return (listed * listed.T).tocsr()


def _encode(
    stack: Stack, measure: Distance, power: int, known: Neighbours, members: sparse.csr_array
) -> sparse.csr_array:
    """V, (N, N), before the expansion by k2; a row without members is empty."""
    row = np.repeat(np.arange(members.shape[0]), np.diff(members.indptr))
    value = _distances(stack, measure, known, row, members.indices.astype(np.int64))
    with np.errstate(invalid="ignore"):  # 0 / 0
        scaled = np.nan_to_num(value / known.farthest[row], nan=0, posinf=1) ** power
    weight = np.exp(-scaled)
    weight /= np.bincount(row, weight, minlength=members.shape[0])[row]
    return sparse.csr_array((weight.astype(np.float32), members.indices, members.indptr), members.shape)


def _distances(stack: Stack, measure: Distance, known: Neighbours, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Distances of pairs, int64 (n,) each, float32 (n,): looked up in either's list, measured where in neither."""
    total, k = known.index.shape
    there = known.index.ravel() >= 0
    key = (np.repeat(np.arange(total), k) * total + known.index.ravel())[there]
    order = np.argsort(key)
    key, listed = key[order], known.distance.ravel()[there][order]
    value = np.full(len(row), np.nan, np.float32)
    for pair in (row * total + column, column * total + row):
        at = np.searchsorted(key, pair).clip(max=len(key) - 1)
        found = key[at] == pair
        value[found] = listed[at[found]]
    missing = np.flatnonzero(np.isnan(value))
    low, high = np.minimum(row, column)[missing], np.maximum(row, column)[missing]
    pair, back = np.unique(low * total + high, return_inverse=True)
    value[missing] = between(stack, measure, pair // total, pair % total)[back]
    return value


def _average(code: sparse.csr_array, lists: np.ndarray) -> sparse.csr_array:
    """The mean of the rows of `code` in each list: int32 (N, k2), -1 for none."""
    there = lists >= 0
    weight = there / np.maximum(there.sum(1, keepdims=True), 1)
    pairs = np.nonzero(there)[0], lists[there]
    mean = sparse.csr_array((weight[there].astype(np.float32), pairs), code.shape)
    return (mean @ code).tocsr()


def minima(query: sparse.csr_array, gallery: sparse.csr_array) -> np.ndarray:
    """sum_j min(query[q, j], gallery[g, j]), float32 (q, g), of sparse (q, N) and (g, N), through an inverted index."""
    width = gallery.shape[0]
    inverted = gallery.tocsc()
    result = np.zeros((query.shape[0], width), np.float32)
    for start in range(0, query.shape[0], TOGETHER):
        rows = query[start : start + TOGETHER]
        first = inverted.indptr[rows.indices]  # (n,) for the n entries of these rows: the gallery's entries for each
        count = inverted.indptr[rows.indices + 1] - first
        end = np.cumsum(count)
        entry = np.arange(count.sum()) + np.repeat(first - (end - count), count)
        least = np.minimum(np.repeat(rows.data, count), inverted.data[entry])
        row = np.repeat(np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr)), count)
        sums = np.bincount(row * width + inverted.indices[entry], least, minlength=rows.shape[0] * width)
        result[start : start + TOGETHER] = sums.reshape(-1, width)
    return result
