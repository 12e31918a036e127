"""The threshold against slow loops over all pairs."""

import numpy as np
import pytest

from partreid.errors import UserError
from partreid.evaluation.distances import DISTANCES
from partreid.search import threshold
from partreid.search.threshold import at_rate, calibrate, pairs, validation
from partreid.storage import image_table
from partreid.storage.embeddings import Embeddings


def _table(n=240, persons=24, split="query", seed=0):
    random = np.random.default_rng(seed)
    rows = [
        {
            "path": f"{i}.jpg",
            "split": split,
            "pid": int(random.integers(1, persons + 1)),
            "camid": int(random.integers(0, 3)),
            "width": 64,
            "height": 128,
            "sha1": f"{i:040x}",
        }
        for i in range(n)
    ]
    return image_table.build(rows, {})


def _embedded(table, distance="euclidean", noise=0.8):
    random = np.random.default_rng(1)
    pid = image_table.integers(table, "pid")
    features = np.random.default_rng(2).normal(size=(100, 3, 4))[pid] + noise * random.normal(size=(len(pid), 3, 4))
    visibility = (random.random((len(pid), 3)) < 0.6).astype(np.float32)
    return Embeddings(np.arange(len(pid)), features.astype(np.float32), visibility, {"distance": distance})


def _slow(embedded, table, distance):
    """All pairs, one by one."""
    same, different = [], []
    rows = table.to_pylist()
    every = threshold.tensors(embedded.of(image_table.integers(table, "image_id")))
    for i in range(len(rows)):
        for j in range(i):
            value = float(DISTANCES[distance](every.rows(i, 1), every.rows(j, 1)))
            if rows[i]["pid"] != rows[j]["pid"]:
                different.append(value)
            elif rows[i]["camid"] != rows[j]["camid"]:
                same.append(value)
    return np.array(same), np.array(different)


@pytest.mark.parametrize("distance", DISTANCES)
def test_pairs_are_those_of_a_slow_loop(monkeypatch, distance):
    monkeypatch.setattr(threshold, "BLOCK", 32)
    table = _table(70, 8)
    embedded = _embedded(table, distance)
    found, expected = pairs(embedded, table, DISTANCES[distance]), _slow(embedded, table, distance)
    for some, others in zip(found, expected, strict=True):
        assert np.allclose(np.sort(some), np.sort(others), atol=1e-5)


@pytest.mark.parametrize("wanted", [0.001, 0.02, 0.3, 0.999])
def test_no_more_than_the_wanted_share_lies_within_and_no_larger_limit_has_that(wanted):
    different = np.random.default_rng(0).integers(0, 400, 1000).astype(np.float32)  # many ties
    limit = at_rate(different, wanted)
    assert sum(value <= limit for value in different) <= wanted * 1000
    beyond = min(value for value in different if value > limit)
    assert sum(value <= beyond for value in different) > wanted * 1000


def test_the_rates_are_those_of_a_slow_loop_over_the_other_half():
    table = _table()
    embedded = _embedded(table)
    result = calibrate(embedded, table, "test", 0.05)
    first, second = threshold._halves(table)
    assert not set(first["pid"].to_pylist()) & set(second["pid"].to_pylist())
    _, set_on = _slow(embedded, first, "euclidean")
    assert (set_on <= result.distance).mean() == pytest.approx(0.05, abs=3e-4)
    same, different = _slow(embedded, second, "euclidean")
    assert (result.same, result.different) == (len(same), len(different))
    assert result.false_matches == pytest.approx((different <= result.distance).mean(), abs=1e-4)
    assert result.matches == pytest.approx((same <= result.distance).mean(), abs=1e-3)
    assert result.matches > result.false_matches + 0.3


def test_few_images_of_many_persons_rather_than_many_of_few(monkeypatch):
    monkeypatch.setattr(threshold, "IMAGES", 60)
    for half in threshold._halves(_table(600, 24)):
        counts = np.unique(half["pid"].to_pylist(), return_counts=True)[1]
        assert (len(counts), counts.max(), len(half)) == (12, 5, 60)


def test_parts_that_cannot_be_compared_are_no_match():
    table = _table(80, 6)
    embedded = _embedded(table, "parts")
    embedded.visibility[::2] = 0
    result = calibrate(embedded, table, "test", 0.9)
    assert np.isfinite(result.distance)
    assert result.false_matches < 0.9


def test_validation_takes_val_else_persons_of_the_test_and_never_the_photos_asked_about():
    table, split = validation(_table(split="val"), set())
    assert (split, len(table)) == ("val", 240)
    assert [validation(_table(90, persons, "val"), set())[1] for persons in (3, 4)] == ["test", "val"]
    rows = _table(30, 5).to_pylist()
    for number, row in enumerate(rows):
        row["split"] = ("query", "gallery", "train")[number % 3]
        row["pid"] = (1, 2, 3, 0, -1)[number % 5] if row["split"] == "gallery" else 1 + number % 3
    table, split = validation(image_table.build(rows, {}), {rows[0]["sha1"]})
    asking = {row["pid"] for row in rows[1:] if row["split"] == "query"}
    expected = [r["path"] for r in rows[1:] if r["split"] != "train" and r["pid"] in asking]
    assert (split, table["path"].to_pylist()) == ("test", expected)
    assert 0 not in table["pid"].to_pylist()


def test_too_few_persons_and_rates_without_sense_are_refused():
    for table in (_table(20, 1), _table(20, 2), _table().slice(0, 0)):
        with pytest.raises(UserError, match="a threshold needs pairs"):
            calibrate(_embedded(table), table, "test", 0.01)
    table = _table()
    for wanted in (0, 1, 2, float("nan")):
        with pytest.raises(UserError, match="a share between 0 and 1"):
            calibrate(_embedded(table), table, "test", wanted)


def test_few_pairs_claim_no_rate_that_they_cannot_carry():
    table = _table(24, 4)
    result = calibrate(_embedded(table), table, "test", 0.001)
    first, second = threshold._halves(table)
    _, set_on = _slow(_embedded(table), first, "euclidean")
    _, different = _slow(_embedded(table), second, "euclidean")
    assert result.set_on == len(set_on) < 200
    assert result.carried == 1 / len(set_on) > 0.001
    assert result.distance < set_on.min()
    low, high = result.interval
    assert low <= (different <= result.distance).mean() <= high
    many = _table()
    assert calibrate(_embedded(many), many, "test", 0.05).carried == 0.05


def test_wilsons_interval_is_the_root_of_its_equation():
    for count, of in ((0, 16), (1, 16), (8, 16), (16, 16), (3, 20_000)):
        for bound in threshold.wilson(count, of):
            # the bound p for which the observed share lies 1.96 standard deviations of p away
            assert (count / of - bound) ** 2 == pytest.approx(1.96**2 * bound * (1 - bound) / of, abs=1e-12)
    assert threshold.wilson(0, 16)[0] == 0
    assert threshold.wilson(0, 16)[1] == pytest.approx(0.1936, abs=1e-4)
