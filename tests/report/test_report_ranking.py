"""Which queries are shown."""

import numpy as np
import pyarrow as pa
import pytest

from partreid.report import attention, ranking

PIDS = 100 + np.arange(36) // 6


def test_best_and_worst_are_the_extremes_of_average_precision(ranks):
    chosen = ranking.choose(ranks, "general", PIDS, seed=1, best=2, random=2, worst=2)
    assert [each.why for each in chosen] == ["best", "best", "random", "random", "worst", "worst"]
    assert [each.query for each in chosen if each.why == "best"] == [0, 6]  # first match at rank 1, then 2
    assert [each.query for each in chosen if each.why == "worst"] == [30, 24]  # the worst first
    assert chosen[0].ap == pytest.approx(1.0)


def test_equal_precision_is_ordered_by_first_distance_and_first_match(ranks):
    even = ranks.set_column(2, "ap", pa.array([0.5] * len(ranks)))
    chosen = ranking.choose(even, "general", PIDS, seed=1, best=1, random=0, worst=1)
    assert [(each.why, each.query) for each in chosen] == [("best", 0), ("worst", 30)]
    turned = even.take(list(reversed(range(len(ranks)))))
    assert [each.query for each in ranking.choose(turned, "general", PIDS, seed=1, best=1, random=0, worst=1)] == [
        0,
        30,
    ]


def test_no_query_twice_and_no_person_twice_among_the_best_or_the_worst(ranks):
    same = np.where(np.arange(36) < 18, 7, PIDS)  # queries 0, 6 and 12 are one person
    chosen = ranking.choose(ranks, "general", same, seed=1, best=3, random=9, worst=3)
    assert [(each.why, each.query) for each in chosen] == [
        *(("best", 0), ("best", 18), ("best", 24)),
        *(("worst", 30), ("worst", 12)),  # 12 is the worst of the person whom the best show too
    ]


def test_random_queries_are_of_persons_who_are_neither_best_nor_worst(ranks):
    chosen = ranking.choose(ranks, "general", PIDS, seed=1, best=1, random=9, worst=1)
    assert [each.query for each in chosen if each.why == "best"] == [0]
    assert sorted(each.query for each in chosen if each.why == "random") == [6, 12, 18, 24]
    assert [each.query for each in chosen if each.why == "worst"] == [30]


def test_the_worst_is_shown_though_its_person_is_among_the_best(ranks):
    one = np.full(36, 7)
    chosen = ranking.choose(ranks, "general", one, seed=1, best=1, random=1, worst=1)
    assert [(each.why, each.query) for each in chosen] == [("best", 0), ("worst", 30)]


def test_random_queries_follow_the_seed(ranks):
    def draw(seed):
        return [each.query for each in ranking.choose(ranks, "general", PIDS, seed, best=0, random=3, worst=0)]

    assert draw(1) == draw(1)
    assert len({tuple(draw(seed)) for seed in range(5)}) > 1


def test_hits_are_the_first_ten_and_a_later_first_match(ranks):
    chosen = {each.query: each for each in ranking.choose(ranks, "hard", PIDS, seed=1)}
    near = chosen[0]  # first match at rank 8
    assert [hit.rank for hit in near.hits] == list(range(1, 11))
    assert [hit.match for hit in near.hits] == [False] * 7 + [True] * 3
    far = chosen[30]  # first match at rank 13
    assert [hit.rank for hit in far.hits] == [*range(1, 11), 13]
    assert far.hits[-1].match
    assert far.hits[-1].image_id // 6 == 5
    assert far.hits[-1].distance == pytest.approx(0.01 * (12 + 5))


def test_only_the_protocol_asked_for(ranks):
    assert {each.first_match for each in ranking.choose(ranks, "hard", PIDS, seed=1)} == set(range(8, 14))
    assert ranking.queries(ranks, "hard").tolist() == [0, 6, 12, 18, 24, 30]


def test_candidates_take_turns_between_protocols_without_repeating_a_person():
    queries = {"all": np.arange(36), "occluded": np.array([3, 4, 30])}
    found = attention.candidates(queries, PIDS, seed=1, count=4)
    assert found.tolist() == attention.candidates(queries, PIDS, seed=1, count=4).tolist()
    assert len({PIDS[image] for image in found}) == 4
    assert set(found.tolist()) & {3, 4, 30}
    assert len(attention.candidates(queries, PIDS, seed=1, count=32)) == 6  # no more persons than there are


def test_rows_are_the_first_then_those_with_the_most_hidden_parts():
    visible = np.ones((8, 3), bool)
    visible[5, 0] = visible[7, :2] = visible[1] = False
    assert attention.rows(visible, first=2, hidden=3) == [0, 1, 7, 5, 2]
    assert attention.rows(visible[:1], first=2, hidden=3) == [0]
