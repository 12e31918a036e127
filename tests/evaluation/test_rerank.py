"""Sparse, blockwise re-ranking against the authors' numbers and against the dense algorithm in plain loops."""

from pathlib import Path

import numpy as np
import pytest
import torch

from partreid.errors import UserError
from partreid.evaluation import neighbours, ranking, rerank
from partreid.evaluation.distances import DISTANCES, vectors
from partreid.evaluation.protocols import PROTOCOLS
from partreid.evaluation.rerank import HALVES, POWERS, described, reranked
from partreid.evaluation.results import evaluate
from partreid.evaluation.rules import Ids, market_rule
from partreid.storage import image_table
from partreid.storage.embeddings import Embeddings

REFERENCE = Path(__file__).parents[1] / "reference"


def dense(distance, queries, power, k1, k2, original, half_length):
    """The published algorithm on a whole N x N matrix of distances, one image at a time: (Q, G) float64."""
    total = len(distance)
    finite = np.where(np.isinf(distance), -1.0, distance)
    scaled = np.empty((total, total))
    place = ranking.shuffled(total)
    lists = []
    for i in range(total):
        farthest = max(finite[i].max(), 0)
        for j in range(total):
            if np.isinf(distance[i, j]):
                scaled[i, j] = 1
            else:
                scaled[i, j] = (distance[i, j] / farthest) ** power if farthest else 0
        order = sorted(range(total), key=lambda j: (distance[i, j], place[j]))
        lists.append([j for j in order if not np.isinf(distance[i, j])])

    def reciprocal(i, k):
        return {j for j in lists[i][:k] if i in lists[j][:k]}

    code = np.zeros((total, total))
    for i in range(total):
        own = reciprocal(i, k1 + 1)
        members = set(own)
        for candidate in own:
            others = reciprocal(candidate, half_length)
            if len(others & own) > 2 / 3 * len(others):
                members |= others
        if members:
            for j in members:
                code[i, j] = np.exp(-scaled[i, j])
            code[i] /= code[i].sum()
    if k2 != 1:
        code = np.stack([code[some[:k2]].mean(0) if some else np.zeros(total) for some in lists])
    result = np.empty((queries, total - queries))
    for q in range(queries):
        for g in range(queries, total):
            shared = np.minimum(code[q], code[g]).sum()
            jaccard = 1 - shared / (2 - shared)
            result[q, g - queries] = (1 - original) * jaccard + original * scaled[q, g]
    return result


def _vectors(features, visibility=None):
    features = torch.tensor(features, dtype=torch.float32)
    if features.ndim == 2:
        features = features[:, None]
    if visibility is None:
        visibility = np.ones(features.shape[:2])
    return vectors(features, torch.tensor(visibility, dtype=torch.float32))


def _rows(query, gallery, name, **options):
    """All re-ranked distances, made in the blocks of the ranking."""
    query, gallery, distance = reranked(query, gallery, name, **options)
    rows = []
    for upper in range(0, len(query), ranking.QUERIES):
        lefts = range(0, len(gallery), ranking.GALLERY)
        tiles = [distance(query.rows(upper, ranking.QUERIES), gallery.rows(a, ranking.GALLERY)) for a in lefts]
        rows.append(torch.cat(tiles, 1)[: len(query) - upper, : len(gallery)])
    return torch.cat(rows).numpy()


def _both(query, gallery, name, k1, k2, original, half):
    """Ours and the dense algorithm's."""
    every = [torch.cat([getattr(query, field), getattr(gallery, field)]) for field in ("features", "visibility")]
    whole = DISTANCES[name](vectors(*every), vectors(*every)).numpy().astype(np.float64)
    length = {"matlab": int(np.floor((k1 + 1) / 2 + 0.5)), "python": int(np.around(k1 / 2)) + 1}[half]
    expected = dense(whole, len(query), POWERS[name], k1, k2, original, length)
    return _rows(query, gallery, name, k1=k1, k2=k2, original=original, half=half), expected


def _persons(n, seed, dimension=8, persons=9):
    random = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(persons, dimension))
    return centres[random.integers(0, persons, n)] + 0.6 * random.normal(size=(n, dimension))


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(neighbours, "BLOCK", 16)
    monkeypatch.setattr(neighbours, "PAIRS", 5)
    monkeypatch.setattr(rerank, "ROWS", 20)
    monkeypatch.setattr(rerank, "TOGETHER", 3)
    monkeypatch.setattr(ranking, "QUERIES", 8)
    monkeypatch.setattr(ranking, "GALLERY", 16)


@pytest.mark.parametrize("half", HALVES)
@pytest.mark.parametrize("name", POWERS)
def test_equals_the_authors_numbers(name, half):
    sides = [np.loadtxt(REFERENCE / f"feat_{side}.csv", delimiter=",") for side in ("query", "gallery")]
    expected = np.loadtxt(REFERENCE / "rerank_k1_20_k2_6_lam_0.3.csv", delimiter=",")
    found = _rows(*map(_vectors, sides), name, k1=20, k2=6, original=0.3, half=half)
    assert np.abs(found - expected).max() < 1e-6


VALUES = [(20, 6, 0.3), (3, 2, 0.5), (7, 1, 0.0), (7, 4, 0.1), (10, 14, 0.3), (1, 1, 0.9), (15, 3, 0.0)]


@pytest.mark.parametrize("half", HALVES)
@pytest.mark.parametrize(("k1", "k2", "original"), VALUES)
@pytest.mark.parametrize("name", DISTANCES)
@pytest.mark.usefixtures("small_blocks")
def test_equals_the_dense_algorithm(name, k1, k2, original, half):
    random = np.random.default_rng(k1)
    sides = []
    for n, seed in ((21, 1), (90, 2)):
        features = _persons(n, seed).reshape(n, 4, 2)
        visibility = random.random((n, 4)) < 0.5
        visibility[5] = False  # an image that shares nothing with any
        sides.append(_vectors(features, visibility if name == "parts" else None))
    found, expected = _both(*sides, name, k1, k2, original, half)
    assert np.abs(found - expected).max() < 1e-5
    assert expected.min() < 0.8 or original == 0.9


def test_the_halves_differ_where_they_should():
    lengths = {half: [length(k1) for k1 in range(1, 12)] for half, length in HALVES.items()}
    assert lengths["matlab"] == [int(np.floor((k1 + 1) / 2 + 0.5)) for k1 in range(1, 12)]
    assert lengths["python"] == [int(np.around(k1 / 2.0)) + 1 for k1 in range(1, 12)]
    differ = [k1 for k1, pair in enumerate(zip(*lengths.values(), strict=True), 1) if pair[0] != pair[1]]
    assert differ == [3, 7, 11]
    query, gallery = _vectors(_persons(20, 1)), _vectors(_persons(90, 2))
    found = [_rows(query, gallery, "euclidean", k1=7, half=half) for half in HALVES]
    assert np.abs(found[0] - found[1]).max() > 0.01


@pytest.mark.parametrize(("k1", "k2"), [(4, 3), (20, 6), (5, 1)])
@pytest.mark.usefixtures("small_blocks")
def test_equally_near_neighbours_and_duplicates_count_in_a_fixed_random_order(k1, k2):
    random = np.random.default_rng(3)
    query, gallery = random.integers(-1, 2, (15, 3)), random.integers(-1, 2, (100, 3))  # 27 places for 115 images
    found, expected = _both(_vectors(query), _vectors(gallery), "euclidean", k1, k2, 0.3, "python")
    assert np.abs(found - expected).max() < 1e-5


@pytest.mark.parametrize(("queries", "gallery"), [(1, 1), (1, 4), (3, 2), (6, 20)])
@pytest.mark.parametrize(("k1", "k2"), [(20, 6), (50, 60), (2, 30)])
def test_lists_longer_than_there_are_images(queries, gallery, k1, k2):
    sides = _vectors(_persons(queries, 1)), _vectors(_persons(gallery, 2))
    found, expected = _both(*sides, "cosine", k1, k2, 0.3, "python")
    assert np.abs(found - expected).max() < 1e-5


@pytest.mark.parametrize("name", POWERS)
def test_images_that_are_all_the_same_are_not_nan(name):
    same = np.ones((60, 4))
    found = _rows(_vectors(same[:10]), _vectors(same[10:]), name)
    assert bool(((found >= 0) & (found <= 1 + 1e-6)).all())


@pytest.mark.parametrize(("queries", "gallery"), [(0, 5), (3, 0), (0, 0)])
def test_nothing_to_rank(queries, gallery):
    sides = _vectors(np.ones((queries, 4))), _vectors(np.ones((gallery, 4)))
    asking, answering, distance = reranked(*sides, "cosine")
    found = ranking.rank(asking, answering, _ids(queries, 0), _ids(gallery, 9), distance, market_rule)
    assert len(found.nearer) == 0
    assert len(found.kept) == queries


def test_permuting_the_gallery_changes_nothing_without_ties():
    query, gallery = _persons(30, 1), _persons(150, 2)
    order = np.random.default_rng(3).permutation(150)
    before = _rows(_vectors(query), _vectors(gallery), "euclidean")
    after = _rows(_vectors(query), _vectors(gallery[order]), "euclidean")
    assert np.abs(before[:, order] - after).max() < 1e-6


@pytest.mark.parametrize("name", POWERS)
def test_the_original_distance_alone_keeps_its_order(name):
    query, gallery = _vectors(_persons(30, 1)), _vectors(_persons(150, 2))
    rows = _rows(query, gallery, name, original=1.0)
    assert np.array_equal(rows.argsort(1), DISTANCES[name](query, gallery).numpy().argsort(1))


def test_the_blocks_change_nothing(monkeypatch):
    query, gallery = _vectors(_persons(12, 1)), _vectors(_persons(100, 2))
    before = _rows(query, gallery, "euclidean", k1=9)
    for block, pairs, rows, together in ((1, 1, 1, 1), (33, 7, 100, 2), (112, 2, 7, 13)):
        monkeypatch.setattr(neighbours, "BLOCK", block)
        monkeypatch.setattr(neighbours, "PAIRS", pairs)
        monkeypatch.setattr(rerank, "ROWS", rows)
        monkeypatch.setattr(rerank, "TOGETHER", together)
        assert np.abs(_rows(query, gallery, "euclidean", k1=9) - before).max() < 1e-6


class _Streamed:
    """A gallery that gives blocks and nothing else."""

    def __init__(self, held):
        self._held = held

    def __len__(self):
        return len(self._held)

    def rows(self, start, count):
        assert count <= 1024
        return self._held.rows(start, count)


def test_a_gallery_that_is_streamed_gives_the_same():
    query, gallery = _vectors(_persons(10, 1)), _vectors(_persons(1500, 2))
    assert np.array_equal(_rows(query, gallery, "cosine"), _rows(query, _Streamed(gallery), "cosine"))


def _ids(n, first, seed=0):
    random = np.random.default_rng(seed)
    columns = np.arange(first, first + n), random.integers(0, 9, n), random.integers(0, 3, n), np.zeros(n)
    return Ids(*(torch.from_numpy(column.astype(np.int32)) for column in columns))


@pytest.mark.usefixtures("small_blocks")
def test_the_ranking_takes_re_ranked_distances_and_queries_without_a_match():
    query, gallery = _vectors(_persons(21, 1)), _vectors(_persons(200, 2))
    query_ids, gallery_ids = _ids(21, 0, 1), _ids(200, 100, 2)
    query_ids.pid[3] = 77
    for memory in (1, 2**30):
        asking, answering, distance = reranked(query, gallery, "cosine")
        found = ranking.rank(asking, answering, query_ids, gallery_ids, distance, market_rule, top=5, memory=memory)
        rows = _rows(query, gallery, "cosine")
        for i in range(21):
            match, ignored = market_rule(query_ids.at((i, None)), gallery_ids)
            kept = [j for j in np.argsort(rows[i], kind="stable") if not ignored[j]]
            places = [place for place, j in enumerate(kept, 1) if match[j]]
            assert (found.nearer + 1)[found.query == i].tolist() == places
            assert found.top[i].tolist() == kept[:5]
            assert np.array_equal(found.distance[i].numpy(), rows[i, kept[:5]])
            assert bool(places) == (i != 3)


@pytest.mark.parametrize("name", DISTANCES)
def test_evaluate_re_ranks_and_that_helps_where_neighbours_know_better(name):
    random = np.random.default_rng(5)
    pid = random.integers(1, 16, 400)
    image = {"path": "", "width": 64, "height": 128, "sha1": ""}
    rows = [
        {**image, "split": "gallery" if i % 5 else "query", "pid": int(pid[i]), "camid": int(random.integers(0, 3))}
        for i in range(400)
    ]
    table = image_table.build([{**row, "path": f"{i}.jpg"} for i, row in enumerate(rows)], {})
    features = random.normal(size=(16, 3, 8))[pid] + 1.2 * random.normal(size=(400, 3, 8))
    visibility = np.ones((400, 3), np.float32)
    embedded = Embeddings(np.arange(400), features.astype(np.float32), visibility, {"distance": name})
    protocol = PROTOCOLS["folder"]["photos"]
    plain, better, same = (
        evaluate(embedded, table, protocol, rerank=rerank)
        for rerank in (None, {"k1": 20, "k2": 6, "original": 0.3, "half": "matlab"}, {"original": 1.0})
    )
    assert better.ap.mean() > plain.ap.mean() + 0.03
    assert np.array_equal(same.first, plain.first)
    assert np.array_equal(better.kept, plain.kept)


def test_the_description_names_every_value():
    text = described(k1=21, k2=7, original=0.25, half="matlab")
    assert all(word in text for word in ("21", "7", "0.25", "matlab"))


def test_every_distance_has_its_power():
    assert set(POWERS) == set(DISTANCES)


@pytest.mark.parametrize(
    "wrong", [{"k1": 0}, {"k2": 0}, {"original": -0.1}, {"original": 1.1}, {"half": "round"}, {"distance": "hamming"}]
)
def test_values_without_sense_are_refused(wrong):
    one = _vectors(np.ones((1, 4)))
    with pytest.raises(UserError):
        reranked(one, one, **{"distance": "cosine"} | wrong)


def test_other_blocks_than_those_re_ranked_are_refused():
    one = _vectors(np.ones((1, 4)))
    asking, answering, distance = reranked(one, one, "cosine")
    for sides in ((one, one), (asking, one), (one, answering.rows(0, 1))):
        with pytest.raises(TypeError, match="reranked"):
            distance(*sides)


def test_nothing_said_is_what_the_paper_and_most_tools_take():
    query, gallery = _vectors(_persons(10, 1)), _vectors(_persons(60, 2))
    wanted = _rows(query, gallery, "cosine", k1=20, k2=6, original=0.3, half="python")
    assert np.array_equal(_rows(query, gallery, "cosine"), wanted)
