"""Numbers from ranks. The right answers of all queries are one flat list, as ranking.Ranking has it:

query: int64 (n,), ascending, the query a right answer belongs to; rank: int64 (n,), its place in that query's ranking,
from 1, ascending within a query; count: the number of queries Q; last: int64 (n,), the place of the last entry at the
same distance. Results are float64; a query without a right answer has NaN.
"""

from collections.abc import Callable

import numpy as np


def hits(query: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Right answers per query (Q,), and the number i of each among its query's, from 1 (n,)."""
    per_query = np.bincount(query, minlength=count)
    start = np.cumsum(per_query) - per_query
    return per_query, np.arange(len(query)) - start[query] + 1


def rectangle(query: np.ndarray, rank: np.ndarray, count: int, _last: np.ndarray) -> np.ndarray:
    """Average precision (Q,): the mean over the right answers of i / rank_i."""
    per_query, number = hits(query, count)
    return _mean(number / rank, query, per_query)


def trapezoid(query: np.ndarray, rank: np.ndarray, count: int, _last: np.ndarray) -> np.ndarray:
    """Average precision (Q,): the mean of the precisions at a right answer and one rank before it.

    The precision before rank 1 counts as 1. compute_AP of the MATLAB evaluators (Market-1501, MARS, Duke, CUHK03-NP).
    """
    per_query, number = hits(query, count)
    before = np.where(rank == 1, 1.0, (number - 1) / np.maximum(rank - 1, 1))
    return _mean((before + number / rank) / 2, query, per_query)


def scikit_learn(query: np.ndarray, _rank: np.ndarray, count: int, last: np.ndarray) -> np.ndarray:
    """Average precision (Q,): as rectangle, but entries at one distance are one step (average_precision_score).

    The order inside a tie, which no distance decides, does not matter. open-reid's formula.
    """
    per_query, number = hits(query, count)
    ends = np.flatnonzero(np.diff(query, append=-1) | np.diff(last, append=-1))  # last right answer of every step
    found = number[ends[np.searchsorted(ends, np.arange(len(query)))]] if len(query) else number
    return _mean(found / last, query, per_query)


AVERAGE_PRECISION: dict[str, Callable[[np.ndarray, np.ndarray, int, np.ndarray], np.ndarray]] = {
    "rectangle": rectangle,
    "trapezoid": trapezoid,
    "scikit_learn": scikit_learn,
}

FORMULAS = {
    "rectangle": "mean over the right answers of i / rank_i",
    "trapezoid": "mean over the right answers of ((i - 1) / (rank_i - 1) + i / rank_i) / 2, first term 1 at rank 1",
    "scikit_learn": "mean over the right answers of (right answers up to) / (entries up to) the end of its tie",
}

UNMATCHED = ("skip", "count")  # a query without a right answer: left out, or counted as never right (the MATLAB code)


def inverse_negative_penalty(query: np.ndarray, rank: np.ndarray, count: int) -> np.ndarray:
    """(Q,): right answers / rank of the last one; its mean is mINP (Ye et al., TPAMI 2021, Eq. 7-8)."""
    per_query, _ = hits(query, count)
    last = np.zeros(count)
    np.maximum.at(last, query, rank)
    return _divide(per_query, last)


def first_rank(query: np.ndarray, rank: np.ndarray, count: int) -> np.ndarray:
    """Rank of each query's first right answer, int64 (Q,); 0 when there is none."""
    first = np.zeros(count, dtype=np.int64)
    first[query[::-1]] = rank[::-1]  # the last assignment wins: the smallest rank
    return first


def cmc(first: np.ndarray, length: int) -> np.ndarray:
    """Share of queries with a right answer among the first 1 .. length entries: float64 (length,).

    `first` as `first_rank` gives it. Queries without a right answer (0) count as never right.
    """
    found = np.bincount(first[(first > 0) & (first <= length)], minlength=length + 1)[1:]
    return np.cumsum(found) / len(first)


def chance(right: np.ndarray, kept: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What a random order scores on average: (rectangle AP, rank-1) per query, (Q,) each.

    right: right answers, kept: ranked entries, int64 (Q,). At rank k the entry is right with probability R/N, and then
    each of the k - 1 before it with (R-1)/(N-1): E[AP] = (H_N + (N - H_N) (R-1)/(N-1)) / N, H_N = 1 + 1/2 + .. + 1/N.
    """
    harmonic = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, kept.max(initial=0) + 1))])[kept]
    others = (right - 1) / np.maximum(kept - 1, 1)
    return _divide(harmonic + (kept - harmonic) * others, kept), _divide(right, kept)


def _mean(values: np.ndarray, query: np.ndarray, per_query: np.ndarray) -> np.ndarray:
    return _divide(np.bincount(query, weights=values, minlength=len(per_query)), per_query)


def _divide(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.divide(a, b, out=np.full(len(b), np.nan), where=b > 0)
