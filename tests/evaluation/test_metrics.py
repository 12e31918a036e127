from pathlib import Path

import numpy as np
import pytest
import torch

from partreid.evaluation import metrics, ranking
from partreid.evaluation.distances import euclidean, vectors
from partreid.evaluation.rules import Ids, market_rule

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
    return found.query.numpy(), found.rank.numpy(), len(query)


def test_reference_average_precision(reference):
    expected, good = _read("eval_ap_trapezoid_and_ngood.csv").T
    per_query, _ = metrics.hits(reference[0], 12)
    np.testing.assert_array_equal(per_query, good)
    np.testing.assert_allclose(metrics.trapezoid(*reference, reference[1]), expected, atol=1e-6)
    assert metrics.trapezoid(*reference, reference[1]).mean() == pytest.approx(0.337770, abs=1e-6)
    assert metrics.rectangle(*reference, reference[1]).mean() == pytest.approx(0.381404, abs=1e-6)


def test_reference_cmc(reference):
    first = metrics.first_rank(*reference)
    expected = _read("eval_cmc_per_query.csv")
    for i in range(12):
        np.testing.assert_allclose(metrics.cmc(first[i : i + 1], 60), expected[i], atol=1e-6)
    np.testing.assert_allclose(metrics.cmc(first, 60), expected.mean(0), atol=1e-6)
    assert metrics.cmc(first, 1)[0] == 0.5


def test_hand_counted_numbers():
    query, rank = np.array([0, 0, 2]), np.array([1, 4, 2])  # query 1 has no right answer
    np.testing.assert_allclose(metrics.rectangle(query, rank, 3, rank), [(1 + 2 / 4) / 2, np.nan, 1 / 2])
    np.testing.assert_allclose(
        metrics.trapezoid(query, rank, 3, rank), [(1 + (1 / 3 + 2 / 4) / 2) / 2, np.nan, (0 + 1 / 2) / 2]
    )
    np.testing.assert_allclose(metrics.inverse_negative_penalty(query, rank, 3), [2 / 4, np.nan, 1 / 2])
    assert metrics.first_rank(query, rank, 3).tolist() == [1, 0, 2]
    assert metrics.cmc(np.array([1, 0, 2, 2]), 3).tolist() == [0.25, 0.75, 0.75]  # one is never right


def test_perfect_rankings_score_one():
    query, rank = np.repeat(np.arange(3), 4), np.tile(np.arange(1, 5), 3)
    for precision in metrics.AVERAGE_PRECISION.values():
        assert precision(query, rank, 3, rank).tolist() == [1.0, 1.0, 1.0]
    assert metrics.inverse_negative_penalty(query, rank, 3).tolist() == [1.0, 1.0, 1.0]


def test_every_formula_is_described():
    assert set(metrics.FORMULAS) == set(metrics.AVERAGE_PRECISION)


def test_chance_is_the_mean_over_all_orders():
    from itertools import combinations

    for right, kept in ((1, 5), (3, 6), (4, 4)):
        placed = list(combinations(range(1, kept + 1), right))
        query = np.repeat(np.arange(len(placed)), right)
        flat = query, np.array(placed).ravel(), len(placed)
        precision, first = metrics.chance(np.array([right]), np.array([kept]))
        assert precision[0] == pytest.approx(metrics.rectangle(*flat, flat[1]).mean(), abs=1e-12)
        assert first[0] == pytest.approx((metrics.first_rank(*flat) == 1).mean(), abs=1e-12)
