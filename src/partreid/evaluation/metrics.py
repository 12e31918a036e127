"""Numbers from ranks. The right answers of all queries are one flat list, as ranking.Ranking has it:

query: int64 (n,), ascending, the query a right answer belongs to; nearer: int64 (n,), entries nearer than it, ascending
within a query; last: int64 (n,), entries nearer or equally near, itself among them; count: the number of queries Q.
Results are float64; a query without a right answer has NaN.

Ties: what stands at one distance has no order, so every number is the expected one over all orders of the tied, each as
likely (McSherry and Najork, "Computing Information Retrieval Performance Measures Efficiently in the Presence of Tied
Scores", ECIR 2008). Of a tie of n entries behind a nearer ones, m are right, and r right answers are nearer. At its
place k = 1 .. n stands a right answer with probability m / n, and then (k - 1) c of the right ones are expected before
it in the tie, c = (m - 1) / (n - 1). Sums of 1 / (a + k) are differences of the harmonic numbers H.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

TIES = (
    "entries at equal float32 distance have no order: mAP, mINP and CMC are expected values over all orders of the "
    "tied, each as likely; lists show the tied in a fixed random order"
)


@dataclass(frozen=True)
class Steps:
    """The distances at which right answers stand: T of them, nearest first per query. int64 (T,) each.

    query: whose. nearer: entries nearer, a. tied: entries at this distance, n. right: right answers among these, m.
    found: right answers nearer, r.
    """

    query: np.ndarray
    nearer: np.ndarray
    tied: np.ndarray
    right: np.ndarray
    found: np.ndarray


def steps(query: np.ndarray, nearer: np.ndarray, last: np.ndarray) -> Steps:
    """Right answers (n,) at one distance taken together."""
    begins = np.flatnonzero(np.diff(query, prepend=-1) | np.diff(nearer, prepend=-1))
    right = np.diff(begins, append=len(query))
    start = np.searchsorted(query, query[begins])  # of the query
    return Steps(query[begins], nearer[begins], (last - nearer)[begins], right, begins - start)


def right_answers(query: np.ndarray, count: int) -> np.ndarray:
    """Right answers per query, int64 (Q,)."""
    return np.bincount(query, minlength=count)


Precision = Callable[[np.ndarray, np.ndarray, np.ndarray, int], np.ndarray]


def rectangle(query: np.ndarray, nearer: np.ndarray, last: np.ndarray, count: int) -> np.ndarray:
    """Average precision (Q,): the mean over the right answers of i / rank_i."""
    step = steps(query, nearer, last)
    return _mean(_at(step), step, query, count)


def trapezoid(query: np.ndarray, nearer: np.ndarray, last: np.ndarray, count: int) -> np.ndarray:
    """Average precision (Q,): the mean of the precisions at a right answer and one rank before it.

    The precision before rank 1 counts as 1. compute_AP of the MATLAB evaluators (Market-1501, MARS, Duke, CUHK03-NP).
    """
    step = steps(query, nearer, last)
    return _mean((_before(step) + _at(step)) / 2, step, query, count)


def scikit_learn(query: np.ndarray, nearer: np.ndarray, last: np.ndarray, count: int) -> np.ndarray:
    """Average precision (Q,): as rectangle, but entries at one distance are one step (average_precision_score).

    The order inside a tie does not matter in it, so there is nothing to expect. open-reid's formula.
    """
    step = steps(query, nearer, last)
    return _mean(step.right * (step.found + step.right) / (step.nearer + step.tied), step, query, count)


def _at(step: Steps) -> np.ndarray:
    """Precisions at the right answers of each step, added up, (T,): m/n sum_k (r + 1 + (k - 1) c) / (a + k)."""
    a, n, m, r = step.nearer, step.tied, step.right, step.found
    sums = _reciprocals(a, a + n)
    tied = m / n * ((r + 1) * sums + _others(step) * (n - (a + 1) * sums))
    return np.where(n == 1, (r + 1) / (a + 1), tied)


def _before(step: Steps) -> np.ndarray:
    """Precisions one rank before, added up, (T,): m/n sum_k (r + (k - 1) c) / (a + k - 1), the first 1 where a = 0."""
    a, n, m, r = step.nearer, step.tied, step.right, step.found
    sums = _reciprocals(np.maximum(a, 1) - 1, np.maximum(a, 1) + n - 1)
    tied = m / n * (r * sums + _others(step) * (n - a * sums))
    untied = np.where(n == 1, r / np.maximum(a, 1), tied)
    return np.where(a == 0, m / n * (1 + _others(step) * (n - 1)), untied)


def _others(step: Steps) -> np.ndarray:
    """c, (T,): the probability that another entry of a right answer's tie is right, too."""
    return (step.right - 1) / np.maximum(step.tied - 1, 1)


def _reciprocals(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """1 / (low + 1) + .. + 1 / high."""
    harmonic = _harmonic(high.max(initial=0))
    return harmonic[high] - harmonic[low]


def _harmonic(count: int) -> np.ndarray:
    """H_0 .. H_count: float64 (count + 1,)."""
    return np.concatenate([[0.0], np.cumsum(1 / np.arange(1, count + 1))])


AVERAGE_PRECISION: dict[str, Precision] = {
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


def inverse_negative_penalty(query: np.ndarray, nearer: np.ndarray, last: np.ndarray, count: int) -> np.ndarray:
    """(Q,): right answers / rank of the last one; its mean is mINP (Ye et al., TPAMI 2021, Eq. 7-8)."""
    step = steps(query, nearer, last)
    ends = np.flatnonzero(np.diff(step.query, append=-1))
    expected = 1 / (step.nearer[ends] + 1)
    for number in np.flatnonzero(step.tied[ends] > 1):
        end = ends[number]
        expected[number] = _last_reciprocal(step.nearer[end], step.tied[end], step.right[end])
    result = np.full(count, np.nan)
    result[step.query[ends]] = (step.found + step.right)[ends] * expected
    return result


def _last_reciprocal(a: int, n: int, m: int) -> float:
    """Expected 1 / (a + k), k the place of the last of m right among n entries: P(k) = C(k - 1, m - 1) / C(n, m)."""
    places = np.arange(n, m - 1, -1)
    shrinks = np.concatenate([[m / n], (places[:-1] - m) / np.maximum(places[:-1] - 1, 1)])  # P(n), P(k - 1) / P(k)
    return float((np.cumprod(shrinks) / (a + places)).sum())


def found_within(query: np.ndarray, nearer: np.ndarray, last: np.ndarray, count: int, length: int) -> np.ndarray:
    """Probability of a right answer among the first 1 .. length entries: float64 (Q, length); 0 or 1 without a tie.

    Its mean over the queries is the CMC. A query without a right answer has zeros: it is never right.
    """
    step = steps(query, nearer, last)
    first = np.unique(step.query, return_index=True)[1]
    a, n, m = step.nearer[first], step.tied[first], step.right[first]
    missed = np.ones((len(first), length))  # none of the right ones among the places so far
    for place in range(length):
        k = place - a  # places of the tie that came before
        inside = (k >= 0) & (k < n)
        share = np.where(inside, np.maximum(n - m - k, 0) / np.maximum(n - k, 1), 1.0)
        missed[:, place] = share * (missed[:, place - 1] if place else 1.0)
    result = np.zeros((count, length))
    result[step.query[first]] = 1 - missed
    return result


def first_rank(query: np.ndarray, nearer: np.ndarray, last: np.ndarray, count: int) -> np.ndarray:
    """Expected rank of each query's first right answer, float64 (Q,), a + (n + 1) / (m + 1); 0 when there is none."""
    step = steps(query, nearer, last)
    first = np.unique(step.query, return_index=True)[1]
    result = np.zeros(count)
    result[step.query[first]] = (step.nearer + (step.tied + 1) / (step.right + 1))[first]
    return result


def chance(right: np.ndarray, kept: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What a random order scores on average: (rectangle AP, rank-1) per query, (Q,) each.

    right: right answers, kept: ranked entries, int64 (Q,). At rank k the entry is right with probability R/N, and then
    each of the k - 1 before it with (R-1)/(N-1): E[AP] = (H_N + (N - H_N) (R-1)/(N-1)) / N, H_N = 1 + 1/2 + .. + 1/N.
    """
    harmonic = _harmonic(kept.max(initial=0))[kept]
    others = (right - 1) / np.maximum(kept - 1, 1)
    return _divide(harmonic + (kept - harmonic) * others, kept), _divide(right, kept)


def _mean(values: np.ndarray, step: Steps, query: np.ndarray, count: int) -> np.ndarray:
    """Mean over each query's right answers (Q,) of what its steps, (T,), hold as sums over theirs."""
    return _divide(np.bincount(step.query, weights=values, minlength=count), right_answers(query, count))


def _divide(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.divide(a, b, out=np.full(len(b), np.nan), where=b > 0)
