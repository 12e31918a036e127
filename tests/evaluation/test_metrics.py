import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

from partreid.evaluation import metrics, ranking
from partreid.evaluation.distances import euclidean, vectors
from partreid.evaluation.rules import Ids, market_rule

_spec = importlib.util.spec_from_file_location("slow", Path(__file__).with_name("slow.py"))
slow = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(slow)

REFERENCE = Path(__file__).parents[1] / "reference"


def _read(name):
    return np.loadtxt(REFERENCE / name, delimiter=",", ndmin=2)


@pytest.fixture(scope="module")
def reference():
    """Ranks of the reference vectors: those of Market-1501's MATLAB evaluator, run under Octave."""
    sides = []
    for name, first in (("query", 0), ("gallery", 100)):
        features, who = _read(f"feat_{name}.csv"), _read(f"eval_{name}_pid_cam.csv").astype(np.int32)
        keep = who[:, 0] >= 0  # junk is never ranked: the protocol takes it out of the gallery
        features, who = torch.from_numpy(features[keep]).float(), torch.from_numpy(who[keep])
        ids = Ids(torch.arange(first, first + len(who)), who[:, 0], who[:, 1], torch.full((len(who),), -1))
        sides.append((vectors(features[:, None], torch.ones(len(who), 1)), ids))
    (query, query_ids), (gallery, gallery_ids) = sides
    found = ranking.rank(query, gallery, query_ids, gallery_ids, euclidean, market_rule)
    return found.query.numpy(), found.nearer.numpy(), found.last.numpy(), len(query)


def test_reference_average_precision(reference):
    expected, good = _read("eval_ap_trapezoid_and_ngood.csv").T
    np.testing.assert_array_equal(metrics.right_answers(reference[0], 12), good)
    np.testing.assert_allclose(metrics.trapezoid(*reference), expected, atol=1e-6)
    assert metrics.trapezoid(*reference).mean() == pytest.approx(0.337770, abs=1e-6)
    assert metrics.rectangle(*reference).mean() == pytest.approx(0.381404, abs=1e-6)


def test_reference_cmc(reference):
    found = metrics.found_within(*reference, 60)
    np.testing.assert_allclose(found, _read("eval_cmc_per_query.csv"), atol=1e-6)
    assert found[:, 0].mean() == 0.5


def test_hand_counted_numbers():
    query, rank = np.array([0, 0, 2]), np.array([1, 4, 2])  # query 1 has no right answer
    flat = query, rank - 1, rank, 3
    np.testing.assert_allclose(metrics.rectangle(*flat), [(1 + 2 / 4) / 2, np.nan, 1 / 2])
    np.testing.assert_allclose(metrics.trapezoid(*flat), [(1 + (1 / 3 + 2 / 4) / 2) / 2, np.nan, (0 + 1 / 2) / 2])
    np.testing.assert_allclose(metrics.inverse_negative_penalty(*flat), [2 / 4, np.nan, 1 / 2])
    assert metrics.first_rank(*flat).tolist() == [1, 0, 2]
    assert metrics.found_within(*flat, 3).tolist() == [[1, 1, 1], [0, 0, 0], [0, 1, 1]]


# distances of a ranking and which entries are right: ties at the front, in the middle, of right ones only, of all
TIED = [
    ([0, 0, 0, 1, 2, 2], [1, 0, 1, 0, 1, 0]),
    ([0, 1, 1, 1, 1, 2, 3, 3], [0, 1, 0, 0, 1, 1, 1, 0]),
    ([0, 0, 1, 2, 2, 2], [1, 1, 0, 0, 1, 1]),
    ([5, 5, 5, 5, 5, 5, 5], [0, 0, 1, 1, 0, 0, 1]),
    ([5, 5, 5, 5], [1, 1, 1, 1]),
    ([0, 0, 0, 0, 0, 1], [1, 0, 0, 0, 0, 0]),
    ([0, 1, 2], [0, 1, 1]),
]


def _flat(cases):
    """The cases as queries 0, 1, ... in the shape of ranking.Ranking."""
    query = [i for i, (_, right) in enumerate(cases) for _ in range(sum(right))]
    own = [(d, value) for d, right in cases for value, is_right in zip(d, right, strict=True) if is_right]
    nearer = [sum(x < value for x in d) for d, value in own]
    last = [sum(x <= value for x in d) for d, value in own]
    return np.array(query), np.array(nearer), np.array(last), len(cases)


def test_every_number_is_its_mean_over_all_orders_of_the_tied():
    flat = _flat(TIED)
    found = {
        "rectangle": metrics.rectangle(*flat),
        "trapezoid": metrics.trapezoid(*flat),
        "penalty": metrics.inverse_negative_penalty(*flat),
        "first": metrics.first_rank(*flat),
    }
    within = metrics.found_within(*flat, 7)
    for i, (distances, right) in enumerate(TIED):
        orders = [[right[j] for j in order] for order in slow.orders(distances)]
        expected = {
            "rectangle": [slow.average_precision(good, "rectangle") for good in orders],
            "trapezoid": [slow.average_precision(good, "trapezoid") for good in orders],
            "penalty": [slow.negative_penalty(good) for good in orders],
            "first": [good.index(1) + 1 for good in orders],
        }
        for name, values in expected.items():
            assert found[name][i] == pytest.approx(np.mean(values), abs=1e-12), name
        np.testing.assert_allclose(within[i], np.mean([slow.found_within(good, 7) for good in orders], 0), atol=1e-12)


def test_where_all_entries_tie_the_numbers_are_those_of_chance():
    count, right = 15_913, 17
    flat = np.zeros(right, int), np.zeros(right, int), np.full(right, count), 1
    precision, first = metrics.chance(np.array([right]), np.array([count]))
    assert metrics.rectangle(*flat)[0] == pytest.approx(precision[0], rel=1e-9)
    assert metrics.found_within(*flat, 1)[0, 0] == pytest.approx(first[0], rel=1e-9)
    late = metrics.inverse_negative_penalty(*flat)[0]  # E[1 / X] of the maximum is a little above 1 / E[X]
    assert right / count < late < 1.01 * right / (right * (count + 1) / (right + 1))


def test_perfect_rankings_score_one():
    query, rank = np.repeat(np.arange(3), 4), np.tile(np.arange(1, 5), 3)
    for precision in metrics.AVERAGE_PRECISION.values():
        assert precision(query, rank - 1, rank, 3).tolist() == [1.0, 1.0, 1.0]
    assert metrics.inverse_negative_penalty(query, rank - 1, rank, 3).tolist() == [1.0, 1.0, 1.0]


def test_every_formula_is_described():
    assert set(metrics.FORMULAS) == set(metrics.AVERAGE_PRECISION)


def test_chance_is_the_mean_over_all_orders():
    from itertools import combinations

    for right, kept in ((1, 5), (3, 6), (4, 4)):
        placed = list(combinations(range(1, kept + 1), right))
        query = np.repeat(np.arange(len(placed)), right)
        rank = np.array(placed).ravel()
        flat = query, rank - 1, rank, len(placed)
        precision, first = metrics.chance(np.array([right]), np.array([kept]))
        assert precision[0] == pytest.approx(metrics.rectangle(*flat).mean(), abs=1e-12)
        assert first[0] == pytest.approx((metrics.first_rank(*flat) == 1).mean(), abs=1e-12)
