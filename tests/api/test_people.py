"""Embedded people: running means of what is seen of them, and what no people can be made of."""

import os

import numpy as np
import pytest

import partreid
from partreid.api import People
from partreid.errors import UserError

RANDOM = np.random.default_rng(0)
N, P, D = 5, 3, 8


def people(features: np.ndarray, visibility: np.ndarray, paths: tuple[str | None, ...] = (None,) * N) -> People:
    return People(features, visibility, ("a", "b", "c"), "parts", "0" * 64, paths)


def some(seed: int) -> People:
    random = np.random.default_rng(seed)
    features = random.normal(size=(N, P, D)).astype(np.float32)
    return people(features, (random.random((N, P)) < 0.6).astype(np.float32))


def test_a_running_mean_is_that_of_a_slow_loop():
    old, new = some(1), some(2)
    found = old.updated(new, share=0.3)
    cases = set()
    for n in range(N):
        for p in range(P):
            a, b, shown = old.features[n, p], new.features[n, p], (old.visibility[n, p], new.visibility[n, p])
            cases.add(shown)
            wanted = b if shown == (0, 1) else a
            if shown == (1, 1):
                wanted = 0.7 * a + 0.3 * b
                wanted *= (0.7 * np.linalg.norm(a) + 0.3 * np.linalg.norm(b)) / np.linalg.norm(wanted)
            np.testing.assert_allclose(found.features[n, p], wanted, rtol=1e-5, atol=1e-6)
            assert found.visibility[n, p] == max(shown)
    assert len(cases) == 4
    assert found.features.dtype == found.visibility.dtype == np.float32
    assert partreid.distance(found, new).shape == (N, N)


def test_a_running_mean_has_its_invariants():
    old, new = some(1), some(2)
    np.testing.assert_allclose(old.updated(old, 0.4).features, old.features, rtol=1e-5)
    np.testing.assert_array_equal(old.updated(new).features, old.updated(new, 0.1).features)
    seen = np.ones((N, P), np.float32)
    old, new = people(old.features, seen), people(new.features, seen)
    np.testing.assert_allclose(old.updated(new, 0).features, old.features, rtol=1e-5)
    np.testing.assert_allclose(old.updated(new, 1).features, new.features, rtol=1e-5)
    unit = [people(e.features / np.linalg.norm(e.features, axis=2, keepdims=True), seen) for e in (old, new)]
    np.testing.assert_allclose(np.linalg.norm(unit[0].updated(unit[1]).features, axis=2), 1, rtol=1e-5)
    opposite = people(-old.features, seen)
    assert np.isfinite(old.updated(opposite, 0.5).features).all()  # whose mean has no direction


def test_means_of_what_cannot_be_are_one_message():
    for share in (-0.1, 1.1, np.nan):
        with pytest.raises(UserError, match=r"share is .*, expected 0 to 1"):
            some(1).updated(some(2), share)
    with pytest.raises(UserError, match="found 5 people to update, and 2 seen"):
        some(1).updated(some(2)[:2])
    with pytest.raises(UserError, match=r"expected people, .*found ndarray"):
        some(1).updated(some(2).features)


@pytest.mark.parametrize(
    ("features", "visibility", "message"),
    [
        (np.zeros((N, P, D)), np.ones((N, P), np.float32), r"features .* a float32 array \(N, P, D\); found float64"),
        (np.zeros((N, P * D), np.float32), np.ones((N, P), np.float32), r"\(N, P, D\); found float32 \(5, 24\)"),
        ([[[0.0]]], np.ones((N, P), np.float32), r"\(N, P, D\); found list"),
        (np.zeros((N, P, D), np.float32), np.ones(N, np.float32), r"visibility .* \(N, P\); found float32 \(5,\)"),
        (np.zeros((N, P, D), np.float32), np.ones((N, 2), np.float32), r"\(5, 2\), with 3 parts and 5 paths"),
        (np.zeros((4, P, D), np.float32), np.ones((4, P), np.float32), r"with 3 parts and 5 paths; expected"),
    ],
)
def test_people_made_by_hand_are_looked_at(features, visibility, message):
    with pytest.raises(UserError, match=message):
        people(features, visibility)


def test_a_file_name_that_cannot_be_written_is_named(tmp_path):
    paths = ("a.jpg", None, os.fsdecode(b"caf\xe9.jpg"), "d.jpg", "e.jpg")
    with pytest.raises(UserError, match=r"the path caf\\udce9\.jpg is not UTF-8 and cannot be written"):
        people(some(1).features, some(1).visibility, paths).save(tmp_path / "people.parquet")
    assert not list(tmp_path.iterdir())
