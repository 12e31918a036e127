"""One gallery, many questions: in the evaluator's order, among what is allowed, and by each part."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from partreid.errors import UserError
from partreid.evaluation.distances import DISTANCES, vectors
from partreid.search import finder
from partreid.search import gallery as galleries
from partreid.search.gallery import Gallery
from partreid.search.nearest import nearest
from partreid.storage import embeddings, vector_table
from partreid.storage.embeddings import Embeddings, Stored

N, P = 900, 4


def people(n, seed, visible=0.7):
    random = np.random.default_rng(seed)
    centres = np.random.default_rng(9).normal(size=(40, P, 16))
    features = (centres[random.integers(0, 40, n)] + 0.3 * random.normal(size=(n, P, 16))).astype(np.float32)
    return Embeddings(np.arange(n), features, (random.random((n, P)) < visible).astype(np.float32), {})


def ready(folder, monkeypatch, name, kind, embedded, count=200):
    monkeypatch.setenv("DVC_ROOT", str(folder))
    file = folder / "e.npz"
    embeddings.write(file, {}, [embedded])
    nothing = [""] * len(embedded.image_id)
    gallery = Gallery(file, Stored(file), embedded.image_id, [Path()] * len(nothing), *3 * [nothing])
    return finder.Ready(gallery, name, kind, count)


def taken(embedded, rows):
    some = embedded.take(rows)
    return vectors(torch.from_numpy(some.features), torch.from_numpy(some.visibility))


@pytest.mark.parametrize("name", DISTANCES)
def test_every_image_is_compared_in_the_evaluators_order(tmp_path, monkeypatch, name):
    monkeypatch.setattr(finder, "BLOCK", 100)
    embedded, asked = people(N, 1), people(5, 2)
    embedded.features[300:340] = embedded.features[700:740]  # ties
    embedded.visibility[300:340] = embedded.visibility[700:740]
    asked.visibility[4] = 0  # can be compared with nothing
    gallery = ready(tmp_path, monkeypatch, name, "whole", embedded)
    for number in range(5):
        query = taken(asked, [number])
        expected = nearest(query, taken(embedded, np.arange(N)), DISTANCES[name], 40)
        found = gallery.ask(query, 40)
        np.testing.assert_allclose(found.distance, expected.distance, atol=1e-5)
        assert np.mean(found.row == expected.row) > 0.95  # the last bit of a distance may exchange two


@pytest.mark.parametrize("name", ["euclidean", "parts"])
def test_the_equally_near_come_in_the_evaluators_order(tmp_path, monkeypatch, name):
    random = np.random.default_rng(1)
    embedded = people(N, 1)
    embedded.features[:] = random.integers(0, 2, embedded.features.shape) * (random.random((1, P, 16)) < 0.1)
    gallery, allowed = ready(tmp_path, monkeypatch, name, "whole", embedded), random.random(N) < 0.5
    query = taken(embedded, [3])
    expected = nearest(query, taken(embedded, np.arange(N)), DISTANCES[name], N)
    assert len(np.unique(expected.distance)) < N / 10
    found = gallery.ask(query, N)
    np.testing.assert_array_equal(found.row, expected.row)
    np.testing.assert_array_equal(found.distance, expected.distance)
    some = expected.row[0][allowed[expected.row[0]]]
    np.testing.assert_array_equal(gallery.ask(query, 50, allowed).row[0], some[:50])


def test_few_that_are_allowed_are_compared_one_and_all_more_are_looked_up_in_the_lists(tmp_path, monkeypatch):
    gallery = ready(tmp_path, monkeypatch, "cosine", "approximate", people(N, 1), count=20)
    query, order = taken(people(1, 2), [0]), np.random.default_rng(3).permutation(N)
    for few in (1, 80, 81):  # four short lists' worth
        allowed = np.isin(np.arange(N), order[:few])
        found = gallery.ask(query, 100, allowed).row[0]
        assert (set(found[found >= 0]) == set(order[:few])) == (few <= 80)
    assert (gallery.ask(query, 100, np.ones(N, bool)).row[0] >= 0).sum() == 20


def test_large_galleries_are_searched_by_lists_unless_another_way_is_asked_for():
    assert [finder.kind_of("auto", images) for images in (1, 50_000, 50_001)] == ["whole", "whole", "approximate"]
    assert [finder.kind_of(kind, 10**6) for kind in ("whole", "exact")] == ["whole", "exact"]


@pytest.mark.parametrize("kind", ["whole", "approximate"])
@pytest.mark.parametrize("share", [0.01, 0.9, None])
def test_only_what_is_allowed_is_found_and_nothing_of_it_is_missed(tmp_path, monkeypatch, kind, share):
    embedded, asked = people(N, 1), people(3, 2)
    allowed = np.random.default_rng(3).random(N) < (share or 1)
    gallery = ready(tmp_path, monkeypatch, "parts", kind, embedded)
    for number in range(3):
        query = taken(asked, [number])
        exact = DISTANCES["parts"](query, taken(embedded, np.arange(N)))[0].numpy()
        exact[~allowed] = np.inf
        found = gallery.ask(query, 5, allowed if share else None)
        assert allowed[found.row[found.row >= 0]].all()
        np.testing.assert_allclose(found.distance[0], np.sort(exact)[:5], atol=1e-5)


def test_nothing_allowed_is_nothing_found(tmp_path, monkeypatch):
    for kind in ("whole", "approximate"):
        found = ready(tmp_path, monkeypatch, "cosine", kind, people(N, 1)).ask(
            taken(people(1, 2), [0]), 5, np.zeros(N, bool)
        )
        assert (found.row >= 0).sum() == 0


@pytest.mark.parametrize("kind", ["whole", "approximate"])
def test_embeddings_that_are_no_numbers_are_named(tmp_path, monkeypatch, kind):
    embedded = people(N, 1)
    embedded.features[7, 2, 3] = np.nan
    with pytest.raises(UserError, match=r"1 embeddings of the gallery hold NaN or infinity \(the first: image 7\)"):
        ready(tmp_path, monkeypatch, "cosine", kind, embedded)
    embedded.features[7, 2, 3] = 1e20  # its square is infinite
    with pytest.raises(UserError, match="1 embeddings of the gallery"):
        ready(tmp_path, monkeypatch, "cosine", kind, embedded)


@pytest.mark.parametrize("name", DISTANCES)
def test_distances_by_part_are_those_of_the_slow_loop(name):
    asked, embedded = people(1, 1), people(30, 2)
    asked.visibility[:] = [[1, 0, 1, 1]]
    found = finder.by_part(taken(asked, [0]), taken(embedded, np.arange(30)), name)
    for row in range(30):
        for part in range(P):
            a, b = asked.features[0, part].astype(float), embedded.features[row, part].astype(float)
            if not (asked.visibility[0, part] and embedded.visibility[row, part]):
                assert np.isnan(found[row, part])
            elif name == "cosine":
                assert found[row, part] == pytest.approx(1 - a @ b / np.linalg.norm(a) / np.linalg.norm(b), abs=1e-5)
            else:
                assert found[row, part] == pytest.approx(np.linalg.norm(a - b), abs=1e-4)


def test_by_part_explains_the_distance_of_parts():
    asked, embedded = people(1, 1, visible=1), people(30, 2)
    query, others = taken(asked, [0]), taken(embedded, np.arange(30))
    mean = np.nanmean(finder.by_part(query, others, "parts"), axis=1)
    whole = DISTANCES["parts"](query, others)[0].numpy()
    shown = np.isfinite(whole)
    np.testing.assert_allclose(mean[shown], whole[shown], rtol=1e-5)


def test_a_gallery_of_nobody_is_refused(tmp_path):
    file, embedded = tmp_path / "asking.parquet", people(3, 1)
    names = ["a.jpg", "b.jpg", "c.jpg"]
    about = pa.table({"path": names, "split": ["query"] * 3, "pid": [1, 2, 3], "camid": [0, 0, 0]})
    arrays = {"image_id": embedded.image_id, "features": embedded.features, "visibility": embedded.visibility}
    vector_table.write(file, {"weights": "0" * 64}, about, [arrays])
    with pytest.raises(UserError, match=r"asking\.parquet holds no image to search in"):
        galleries.opened(file, None, "0" * 64, None, tmp_path / "kept.npz", torch.device("cpu"))
