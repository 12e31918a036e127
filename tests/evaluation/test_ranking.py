"""Exact ranks against loops, on integer features: distances are exact there and ties are many."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

from partreid.evaluation import metrics, ranking
from partreid.evaluation.distances import DISTANCES, vectors
from partreid.evaluation.rules import Ids, cross_clothes_rule, market_rule, same_clothes_rule

_spec = importlib.util.spec_from_file_location("slow", Path(__file__).with_name("slow.py"))
slow = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(slow)

RULES = {"market": market_rule, "same-clothes": same_clothes_rule, "cross-clothes": cross_clothes_rule}


def _images(n, seed, first_image, spread=3):
    random = np.random.default_rng(seed)
    columns = {
        "image": np.arange(first_image, first_image + n),
        "pid": random.integers(0, 6, n),  # 0: the queries below never have it, so it is a distractor
        "camera": random.integers(-1, 3, n),
        "clothes": random.integers(-1, 3, n),
    }
    return random.integers(-spread, spread + 1, (n, 4)), columns


def _ids(columns):
    return Ids(*(torch.from_numpy(columns[name].astype(np.int32)) for name in ("image", "pid", "camera", "clothes")))


def _vectors(features):
    features = torch.tensor(np.asarray(features), dtype=torch.float32)[:, None]
    return vectors(features, torch.ones(len(features), 1))


def _rank(query, gallery, rule="market", **options):
    return ranking.rank(
        _vectors(query[0]), _vectors(gallery[0]), _ids(query[1]), _ids(gallery[1]),
        DISTANCES["euclidean"], RULES[rule], **options,
    )  # fmt: skip


def _listed(columns):
    return [dict(zip(columns, (int(v) for v in row), strict=True)) for row in zip(*columns.values(), strict=True)]


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(ranking, "QUERIES", 4)
    monkeypatch.setattr(ranking, "GALLERY", 16)


def _world(seed=5):
    query, gallery = _images(23, seed, 0), _images(150, seed + 1, 10)  # images 10..22 are on both sides
    for name in ("pid", "camera", "clothes"):
        gallery[1][name][:13] = query[1][name][10:]
    gallery[0][:13] = query[0][10:]
    query[1]["pid"] = np.where(query[1]["pid"] == 0, 7, query[1]["pid"])  # 7: nobody in the gallery
    return query, gallery


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.usefixtures("small_blocks")
def test_ranks_and_metrics_equal_the_slow_implementation(rule):
    from sklearn.metrics import average_precision_score  # here: it takes a second, and each process imports all tests

    query, gallery = _world()
    found = _rank(query, gallery, rule, top=7)
    entries = _listed(gallery[1])
    flat = found.query.numpy(), found.nearer.numpy(), found.last.numpy(), len(query[0])
    by_steps = metrics.scikit_learn(*flat)
    tied = 0
    seen = set()
    for i, (q, row) in enumerate(zip(_listed(query[1]), slow.distances(query[0], gallery[0]), strict=True)):
        order, good = slow.ranking(rule, q, entries, row, ranking.shuffled(150))
        places = [place for place, is_good in enumerate(good, 1) if is_good]
        own = [row[order[place - 1]] for place in places]
        assert found.nearer[found.query == i].tolist() == [sum(row[j] < value for j in order) for value in own]
        assert found.last[found.query == i].tolist() == [sum(row[j] <= value for j in order) for value in own]
        assert found.kept[i] == len(order)
        assert found.top[i].tolist() == order[:7]
        assert found.distance[i].tolist() == [row[j] for j in order[:7]]
        assert found.match[i].tolist() == good[:7]
        seen.add(bool(places))
        if not places:
            assert np.isnan(by_steps[i])
            continue
        scores = [-row[j] for j in order]
        assert by_steps[i] == pytest.approx(average_precision_score(good, scores), abs=1e-12)
        tied += len({row[j] for j in order}) < len(order)
    assert seen == {True, False}
    assert tied > 10


def _same(a, b):
    for name in ranking.Ranking.__dataclass_fields__:
        assert torch.equal(getattr(a, name), getattr(b, name)), name


def _real(n, d, seed):
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def test_memory_changes_nothing_bit_for_bit():
    query, gallery = _images(600, 1, 0), _images(1100, 2, 1000)
    for _, columns in (query, gallery):
        columns["pid"] = columns["image"] % 60
    query, gallery = (_real(600, 33, 1), query[1]), (_real(1100, 33, 2), gallery[1])
    little, much = (_rank(query, gallery, memory=memory) for memory in (2**20, 2**30))
    _same(little, much)
    assert len(little.nearer) > 5_000


def test_blocks_without_right_answers_are_not_held_and_change_nothing(monkeypatch):
    monkeypatch.setattr(ranking, "QUERIES", 4)
    monkeypatch.setattr(ranking, "GALLERY", 16)
    query, gallery = _world()
    distractors, columns = _images(400, 9, 2000)  # same small integers: ties with the right answers are many
    columns["pid"][:] = 0
    for at in (0, 50, 150):  # before, among and after the right answers
        features = np.insert(gallery[0], [at] * 400, distractors, axis=0)
        ids = {name: np.insert(column, [at] * 400, columns[name]) for name, column in gallery[1].items()}
        asking, answering = _ids(query[1]), _ids(ids)
        held = [left for left in range(0, 550, 16) if ranking._has_answer(left, asking, answering, market_rule)]
        assert 0 < len(held) < 15  # of 35
        every, few = (_rank(query, (features, ids), top=9, memory=memory) for memory in (2**30, 1))
        _same(every, few)


@pytest.mark.usefixtures("small_blocks")
def test_no_more_distances_are_held_than_memory_allows(monkeypatch):
    query, gallery = _world()
    distractors, columns = _images(400, 9, 2000)
    columns["pid"][:] = 0
    gallery = (
        np.concatenate([gallery[0], distractors]),
        {name: np.append(gallery[1][name], columns[name]) for name in columns},
    )
    strips, rank = [], ranking._Strip.rank

    def noted(strip, source, ids, held, *others):
        strips.append((strip.count, len(held)))
        return rank(strip, source, ids, held, *others)

    monkeypatch.setattr(ranking._Strip, "rank", noted)
    every, answering = 35, 10  # blocks of 16 of the gallery, and those of them that hold a right answer
    for memory, wanted in (
        (4 * 24 * 16 * every, [(23, every)]),
        (4 * 23 * 550, [(20, every), (3, every)]),
        (4 * 23 * 550 - 1, [(23, answering)]),  # the others' distances are counted and forgotten
        (4 * 12 * 16 * answering, [(12, answering), (11, answering)]),
        (4 * 12 * 16 * answering - 1, [(8, answering), (8, answering), (7, answering)]),
        (1, [*[(4, answering)] * 5, (3, answering)]),  # a block's rows at least
    ):
        strips.clear()
        _rank(query, gallery, memory=memory)
        assert strips == wanted


def test_the_block_grid_does_not_change_the_ranks(monkeypatch):
    query, gallery = _world()
    whole = _rank(query, gallery)
    for rows, columns in ((1, 1), (5, 7), (23, 150)):
        monkeypatch.setattr(ranking, "QUERIES", rows)
        monkeypatch.setattr(ranking, "GALLERY", columns)
        _same(whole, _rank(query, gallery))


def test_equal_images_tie_exactly_wherever_they_stand():
    query, gallery = _images(3, 1, 0), _images(2100, 2, 10)
    features = np.tile(_real(1, 64, 3), (2100, 1))
    found = _rank((_real(3, 64, 4), query[1]), (features, gallery[1]), top=2100)
    assert bool((found.distance[0, : found.kept[0]] == found.distance[0, 0]).all())
    for i in range(3):
        rows = found.top[i, : found.kept[i]]
        places = ranking.shuffled(2100)[rows]
        assert (places == np.sort(places)).all()
        assert not torch.equal(rows, rows.sort().values)  # that would let the table's order decide
        assert set(found.nearer[found.query == i].tolist()) == {0}
        assert set(found.last[found.query == i].tolist()) == {int(found.kept[i])}


def test_permuting_the_gallery_changes_nothing_without_ties():
    query, gallery = _images(40, 1, 0), _images(300, 2, 100)
    query, gallery = (_real(40, 8, 1), query[1]), (_real(300, 8, 2), gallery[1])
    order = np.random.default_rng(3).permutation(300)
    moved = gallery[0][order], {name: column[order] for name, column in gallery[1].items()}
    a, b = _rank(query, gallery), _rank(query, moved)
    assert torch.equal(a.nearer, b.nearer)
    assert torch.equal(a.nearer + 1, a.last)
    assert torch.equal(a.top, torch.from_numpy(order)[b.top])


def _append(images, features, **columns):
    n = len(features)
    new = {name: np.concatenate([column, np.broadcast_to(columns[name], n)]) for name, column in images[1].items()}
    return np.concatenate([images[0], features]), new


def test_far_distractors_and_ignored_entries_change_nothing():
    query, gallery = _world()
    before = _rank(query, gallery)
    far = _append(gallery, np.full((30, 4), 100), image=900, pid=0, camera=0, clothes=0)
    after = _rank(query, far)
    assert torch.equal(before.nearer, after.nearer)
    assert torch.equal(before.last, after.last)
    assert torch.equal(before.distance, after.distance)
    # the first query's own person by its own camera, at its own place: ignored for it, wrong or right for others
    known = next(i for i in range(len(query[0])) if query[1]["camera"][i] >= 0 and query[1]["pid"][i] != 7)
    own = {name: column[known] for name, column in query[1].items() if name != "image"}
    close = _append(gallery, np.repeat(query[0][[known]], 5, axis=0), image=901, **own)
    after = _rank(query, close)
    assert torch.equal(before.nearer[before.query == known], after.nearer[after.query == known])
    assert torch.equal(before.distance[known], after.distance[known])
    assert not torch.equal(before.nearer, after.nearer)


def test_entries_that_share_no_part_stay_in_the_ranking_at_its_end():
    features = torch.tensor([[[0.0], [0.0]], [[1.0], [0.0]], [[5.0], [5.0]], [[2.0], [0.0]]])
    visibility = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.0, 1.0]])
    zero = torch.zeros(1, dtype=torch.int32)
    query_ids = Ids(zero, zero + 1, zero, zero)
    gallery_ids = Ids(*(torch.tensor(v, dtype=torch.int32) for v in ([1, 2, 3], [0, 1, 1], [1, 1, 1], [0, 0, 0])))
    every = vectors(features, visibility)
    found = ranking.rank(
        every.rows(0, 1), every.rows(1, 3), query_ids, gallery_ids, DISTANCES["parts"], market_rule, top=3
    )
    assert found.top[0, 0] == 1
    assert sorted(found.top[0, 1:].tolist()) == [0, 2]
    assert found.distance.tolist() == [[5.0, float("inf"), float("inf")]]
    assert found.nearer.tolist() == [0, 1]
    assert found.last.tolist() == [1, 3]


def test_a_ranking_shorter_than_top_is_padded():
    query, gallery = _images(1, 1, 0), _images(3, 2, 10)
    for columns in (query[1], gallery[1]):
        columns["pid"][:], columns["camera"][:] = 1, 0
    gallery[1]["camera"][1] = 2
    found = _rank(query, gallery, top=3)
    assert found.top.tolist() == [[1, -1, -1]]
    assert found.match.tolist() == [[True, False, False]]
    assert bool(found.distance[0, 1:].isnan().all())
    assert found.kept.tolist() == [1]


@pytest.mark.parametrize(("queries", "gallery"), [(0, 5), (3, 0), (0, 0)])
def test_nothing_to_rank(queries, gallery):
    found = _rank(_images(queries, 1, 0), _images(gallery, 2, 10))
    assert len(found.nearer) == 0
    assert len(found.kept) == queries
    assert found.top.shape[0] == queries
