"""Nearest images: in the evaluator's order, and from short lists."""

import errno
import os

import faiss
import numpy as np
import pytest
import torch

from partreid.errors import UserError
from partreid.evaluation import ranking
from partreid.evaluation.distances import DISTANCES, tensors, vectors
from partreid.evaluation.protocols import PROTOCOLS
from partreid.evaluation.results import Streamed, evaluate
from partreid.search import shortlist
from partreid.search.nearest import nearest, rescored
from partreid.search.unpacked import Unpacked, folder, unpacked
from partreid.storage import embeddings, image_table
from partreid.storage.embeddings import Embeddings, Stored


def _people(n, seed, persons=40, parts=4, width=16, visible=0.7, noise=0.35):
    """Embeddings of n images around a centre per person; integers among them tie."""
    random = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(persons, parts, width))
    pid = random.integers(0, persons, n)
    features = (centres[pid] + noise * random.normal(size=(n, parts, width))).astype(np.float32)
    visibility = (random.random((n, parts)) < visible).astype(np.float32)
    return Embeddings(np.arange(n), features, visibility, {"distance": "parts"}), pid


def _gallery(embedded):
    return Unpacked(embedded.features, embedded.visibility)


def _vectors(embedded):
    return vectors(torch.from_numpy(embedded.features), torch.from_numpy(embedded.visibility))


@pytest.mark.parametrize("name", DISTANCES)
def test_the_order_is_the_evaluators(name, tmp_path):
    embedded, pid = _people(300, 1)
    embedded.features[100:120] = embedded.features[80:100]  # ties
    embedded.visibility[100:120] = embedded.visibility[80:100]
    image = {"width": 64, "height": 128, "sha1": ""}
    rows = [
        {**image, "path": f"{i}.jpg", "split": "gallery" if i > 19 else "query", "pid": int(pid[i])} for i in range(300)
    ]
    header = {"distance": name}
    embeddings.write(tmp_path / "e.npz", header, [embedded])
    result = evaluate(Stored(tmp_path / "e.npz"), image_table.build(rows, {}), PROTOCOLS["folder"]["photos"], top=15)
    found = nearest(
        tensors(embedded.take(result.query)),
        Streamed(Stored(tmp_path / "e.npz"), np.arange(20, 300)),
        DISTANCES[name],
        15,
    )
    assert np.array_equal(found.row + 20, result.top)
    assert np.array_equal(found.distance, result.distance)


def test_a_gallery_smaller_than_what_is_asked_for():
    embedded, _ = _people(3, 1, visible=1)
    found = nearest(_vectors(embedded), _vectors(embedded), DISTANCES["cosine"], 5)
    assert found.row.shape == (3, 3)
    again = rescored(_vectors(embedded), _gallery(embedded), np.array([[2, 0, 1, -1]] * 3), DISTANCES["cosine"], 5)
    assert np.array_equal(again.row[:, :3], found.row)
    assert np.array_equal(again.row[:, 3:], np.full((3, 2), -1))
    assert np.isnan(again.distance[:, 3:]).all()


@pytest.mark.parametrize("name", DISTANCES)
def test_a_list_of_everybody_is_re_scored_to_the_exact_order(name):
    query, _ = _people(12, 1)
    gallery, _ = _people(200, 2)
    gallery.features[50:60] = gallery.features[40:50]
    gallery.visibility[50:60] = gallery.visibility[40:50]
    everybody = np.stack([np.random.default_rng(i).permutation(200) for i in range(12)])
    found = rescored(_vectors(query), _gallery(gallery), everybody, DISTANCES[name], 30)
    exact = DISTANCES[name](_vectors(query), _vectors(gallery)).numpy()
    place = ranking.shuffled(200)
    for i in range(12):
        assert np.allclose(found.distance[i], np.sort(exact[i])[:30], atol=1e-5)
        ties = np.flatnonzero(found.distance[i, 1:] == found.distance[i, :-1])
        assert (place[found.row[i, ties]] < place[found.row[i, ties + 1]]).all()


@pytest.mark.parametrize("name", ["cosine", "euclidean"])
@pytest.mark.parametrize("block", [1, 64, 1000])
def test_the_exact_index_finds_exactly_the_nearest(monkeypatch, name, block):
    monkeypatch.setattr(shortlist, "BLOCK", block)
    query, _ = _people(12, 1, visible=1)
    gallery, _ = _people(200, 2, visible=1)
    rows = shortlist.exact((query.features, query.visibility), _gallery(gallery), name, 25)
    expected = DISTANCES[name](_vectors(query), _vectors(gallery)).numpy().argsort(1)[:, :25]
    assert [set(row) for row in rows] == [set(row) for row in expected]


@pytest.mark.parametrize("name", DISTANCES)
@pytest.mark.parametrize(("persons", "least"), [(100, 0.95), (5000, 0.3)])  # persons, and mere noise
def test_the_approximate_index_finds_nearly_all_of_the_nearest(tmp_path, name, persons, least):
    query, _ = _people(50, 1, persons=persons)
    gallery, _ = _people(5000, 2, persons=persons)
    pair = query.features, query.visibility
    file = tmp_path / "lists.faiss"
    for _ in range(2):  # made, then read
        candidates = shortlist.approximate(pair, _gallery(gallery), name, 300, file)
        found = rescored(_vectors(query), _gallery(gallery), candidates, DISTANCES[name], 10)
        expected = DISTANCES[name](_vectors(query), _vectors(gallery)).numpy().argsort(1)[:, :10]
        recall = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(found.row, expected, strict=True)])
        assert recall >= least
        changed = file.stat().st_mtime_ns
    assert file.stat().st_mtime_ns == changed


@pytest.mark.parametrize("visible", [0.5, 0.7, 0.9])
def test_the_short_list_by_parts_holds_the_nearest(visible):
    query, _ = _people(50, 1, persons=5000, visible=visible)  # without any structure to help
    gallery, _ = _people(5000, 2, persons=5000, visible=visible)
    candidates = shortlist.exact((query.features, query.visibility), _gallery(gallery), "parts", 300)
    found = rescored(_vectors(query), _gallery(gallery), candidates, DISTANCES["parts"], 10)
    expected = nearest(_vectors(query), _vectors(gallery), DISTANCES["parts"], 10)
    recall = np.mean(found.distance <= expected.distance[:, -1:])  # what ties with the tenth is as right as it
    assert recall >= 0.95


def test_the_short_list_by_parts_is_that_of_a_slow_loop(monkeypatch):
    """A part that an image hides counts as the mean of those that are shown, and half of their spread more."""
    monkeypatch.setattr(shortlist, "BLOCK", 64)
    query, gallery = _people(8, 1, visible=0.6)[0], _people(150, 2, visible=0.6)[0]
    gallery.visibility[:, 3] = 0  # shown by nobody
    for side in (query, gallery):
        side.features[:] += np.float32([2, -1] * 8)  # what all have in common, as networks' vectors do
    found = shortlist.exact((query.features, query.visibility), _gallery(gallery), "parts", 20)
    shown = [gallery.features[gallery.visibility[:, part] > 0, part].astype(float) for part in range(3)]
    means = [each.mean(0) for each in shown]
    spreads = [((each - mean) ** 2).sum(1).mean() for each, mean in zip(shown, means, strict=True)]
    for i in range(8):
        cost = np.zeros(150)
        for part in range(3):
            if query.visibility[i, part]:
                q = query.features[i, part]
                for j in range(150):
                    if gallery.visibility[j, part]:
                        cost[j] += ((q - gallery.features[j, part]) ** 2).sum()
                    else:
                        cost[j] += ((q - means[part]) ** 2).sum() + spreads[part] / 2
        assert np.allclose(np.sort(cost[found[i]]), np.sort(cost)[:20], rtol=1e-4)


def test_vectors_of_zeros_have_their_place_in_a_list():
    query, gallery = _people(3, 1, visible=1)[0], _people(60, 2, visible=1)[0]
    query.features[0], gallery.features[7] = 0, 0
    for name in ("cosine", "euclidean"):
        rows = shortlist.exact((query.features, query.visibility), _gallery(gallery), name, 60)
        assert [sorted(row) for row in rows] == [list(range(60))] * 3


def test_invisible_parts_do_not_decide_the_short_list():
    query, _ = _people(10, 1, visible=0.5)
    gallery, _ = _people(400, 2, visible=0.5)
    pair = query.features, query.visibility
    before = shortlist.exact(pair, _gallery(gallery), "parts", 20)
    gallery.features[gallery.visibility == 0] = 1e3
    query.features[query.visibility == 0] = -1e3
    assert np.array_equal(shortlist.exact(pair, _gallery(gallery), "parts", 20), before)


def test_unpacked_embeddings_are_those_of_the_file(tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    embedded, _ = _people(2500, 3)
    file = tmp_path / "e.npz"
    embeddings.write(file, {}, [embedded.take(slice(a, a + 1024)) for a in (0, 1024, 2048)])
    chosen = np.arange(7, 2500, 3)
    place = folder(file, chosen)
    for _ in range(2):
        flat = unpacked(Stored(file), chosen, place)
        assert len(flat) == len(chosen)
        some = np.array([5, 700, 2, 5])
        assert np.array_equal(flat.take(some).features.numpy(), embedded.features[chosen[some]])
        assert np.array_equal(flat.rows(800, 100).visibility[:30].numpy(), embedded.visibility[chosen[800:830]])
        assert flat.rows(800, 100).features.shape == (100, 4, 16)
    embeddings.write(file, {"again": 1}, [embedded.take(slice(0, 1024))])
    assert folder(file, chosen) != place
    assert folder(file, chosen[1:]) != folder(file, chosen)


def test_the_approximate_index_finds_only_what_is_allowed(tmp_path):
    query, _ = _people(20, 1, visible=1)
    gallery, _ = _people(3000, 2, visible=1)
    lists = shortlist.Lists(_gallery(gallery), "cosine", tmp_path / "lists.faiss")
    pair = query.features, query.visibility
    free, within = lists.candidates(pair, 100), lists.candidates(pair, 100, np.ones(3000, bool))
    assert np.array_equal(free, within)
    allowed = np.random.default_rng(0).random(3000) < 0.3
    rows = lists.candidates(pair, 100, allowed)
    assert allowed[rows[rows >= 0]].all()
    for some, wide in zip(rows, lists.candidates(pair, 400), strict=True):  # none that was nearer is lost
        assert set(wide[allowed[wide]][:50]) <= set(some)


def test_what_a_full_disk_and_a_power_failure_do_is_one_message(tmp_path, monkeypatch):
    embedded, _ = _people(200, 1)
    embeddings.write(tmp_path / "e.npz", {}, [embedded])
    stored = Stored(tmp_path / "e.npz")

    def full(_file, _start, size):  # a map that was not given its room would end this process by SIGBUS
        assert size > embedded.visibility.nbytes
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "posix_fallocate", full)
        with pytest.raises(OSError, match="No space left"):
            unpacked(stored, embedded.image_id, tmp_path / "flat")
    assert [path.name for path in tmp_path.iterdir()] == ["e.npz"]

    rows, lists = unpacked(stored, embedded.image_id, tmp_path / "flat"), tmp_path / "flat/lists.faiss"
    with monkeypatch.context() as patch:
        said = "Error in void faiss::write() at index_write.cpp:341: Error: 'ret == (n)' failed: write error"
        patch.setattr(faiss, "write_index", lambda *_: (_ for _ in ()).throw(RuntimeError(said)))
        with pytest.raises(UserError, match=r"lists\.faiss cannot be written \('ret == \(n\)' failed: write error\)"):
            shortlist.Lists(rows, "parts", lists)
    assert not lists.exists()
    lists.write_bytes(b"IwSQ")
    with pytest.raises(UserError, match=r"lists\.faiss is damaged \('ret == .*delete it"):
        shortlist.Lists(rows, "parts", lists)
    file = tmp_path / "flat/features.npy"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(UserError, match=r"a file in .*flat is damaged .*delete that folder"):
        unpacked(stored, embedded.image_id, tmp_path / "flat")
