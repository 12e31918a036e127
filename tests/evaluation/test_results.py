import csv
import io
import json
from importlib.metadata import PackageNotFoundError

import numpy as np
import pyarrow as pa
import pytest

from partreid.errors import UserError
from partreid.evaluation import metrics, ranking, results
from partreid.evaluation.protocols import PROTOCOLS
from partreid.evaluation.record import record
from partreid.evaluation.results import Result, cmc_csv, evaluate, ranks_table, summary, text
from partreid.storage import image_table
from partreid.storage.embeddings import Embeddings, Stored, write


def _table(cameras=True, n=400):
    random = np.random.default_rng(4)
    rows = [
        {
            "path": f"{i}.jpg",
            "split": ("query", "gallery", "gallery", "train", "multi_query")[i % 5],
            "pid": int(random.integers(-1, 12)),
            "camid": int(random.integers(0, 4)) if cameras else None,
            "clothes_id": int(random.integers(0, 3)),
            "occluded": bool(random.integers(0, 2)),
            "misaligned": i % 3 == 0,
            "width": 64,
            "height": 128,
            "sha1": "",
        }
        for i in range(n)
    ]
    for row in rows:  # a person's images by one camera in one split are one tracklet
        row["tracklet_id"] = 100 * row["pid"] + 10 * (row["camid"] or 0) + ord(row["split"][0]) % 10
    return image_table.build(rows, {"cloth_change": {"test": [1, 2, 3, 4, 5, 6]}})


def _embeddings(table, informative=True, distance="cosine"):
    """Parts that point roughly where the person's do."""
    random = np.random.default_rng(1)
    pid = image_table.integers(table, "pid")
    persons = random.normal(size=(13, 3, 8))
    features = random.normal(size=(len(table), 3, 8)) + (persons[pid + 1] if informative else 0)
    visibility = (random.random((len(table), 3)) < 0.8).astype(np.float32)
    header = {"distance": distance, "seed": 3, "table": "abc"}
    shuffled = random.permutation(len(table))  # the file need not be in table order
    every = Embeddings(image_table.integers(table, "image_id"), features.astype(np.float32), visibility, header)
    return every.take(shuffled)


REGISTERED = [(dataset, name) for dataset, protocols in PROTOCOLS.items() for name in protocols]


@pytest.mark.parametrize(("dataset", "name"), REGISTERED)
@pytest.mark.parametrize("distance", ["cosine", "euclidean", "parts"])
def test_every_protocol_runs_and_information_helps(dataset, name, distance):
    table, protocol = _table(), PROTOCOLS[dataset][name]
    good = evaluate(_embeddings(table, distance=distance), table, protocol)
    blind = evaluate(_embeddings(table, informative=False, distance=distance), table, protocol)
    assert summary(good)["mAP"] > summary(blind)["mAP"] + 0.1
    assert (good.right > 0).all()
    if not protocol.query_pool and not protocol.draws:
        assert len(good.query) + good.skipped == protocol.query(table).sum()
        assert good.gallery == protocol.gallery(table).sum()
    assert protocol.text


def test_shapes_of_what_is_written():
    table = _table()
    results = {name: evaluate(_embeddings(table), table, p, top=7) for name, p in PROTOCOLS["synthetic"].items()}
    pid = image_table.integers(table, "pid")
    for name, result in results.items():
        values = summary(result)
        assert list(values) == ["mAP", "mINP", "rank1", "rank5", "rank10", "rank20", "queries", "skipped", "gallery"]
        json.dumps(values, allow_nan=False)
        assert values["rank1"] <= values["rank5"] <= values["rank10"] <= values["rank20"] <= 1
        assert values["queries"] == len(result.query), name
        assert np.isin(pid[result.query], pid[result.top]).all()
    rows = list(csv.DictReader(io.StringIO(cmc_csv(results))))
    assert len(rows) == len(PROTOCOLS["synthetic"]) * 50
    assert [row["rank"] for row in rows if row["protocol"] == "general"] == [str(i) for i in range(1, 51)]
    assert float(rows[0]["cmc"]) == summary(results["general"])["rank1"]
    written = ranks_table(results).to_pylist()
    assert len(written) == sum(len(result.query) for result in results.values())
    for row in written:
        assert len(row["gallery"]) == len(row["distance"]) == len(row["match"]) == 7
        assert row["distance"] == sorted(row["distance"])
        persons = pid[row["gallery"]] == pid[row["query"]]
        assert row["match"] == persons.tolist()  # what is ignored is not listed, the rest of the person matches
        firsts = [place for place, match in enumerate(row["match"], 1) if match]
        assert row["first_match_rank"] == firsts[0] if firsts else row["first_match_rank"] > 7
    assert "cross-clothes" in text({name: summary(result) for name, result in results.items()})


def test_short_rankings_give_short_lists():
    rows = [("query", 1, 0), ("gallery", 1, 0), ("gallery", 1, 1)]
    table = image_table.build(
        [
            {"path": str(i), "split": s, "pid": p, "camid": c, "width": 1, "height": 1, "sha1": ""}
            for i, (s, p, c) in enumerate(rows)
        ],
        {},
    )
    result = evaluate(_embeddings(table), table, PROTOCOLS["folder"]["photos"])
    (row,) = ranks_table({"photos": result}).to_pylist()
    assert row["gallery"] == [2]
    assert row["match"] == [True]
    assert (row["ap"], row["inp"], row["first_match_rank"]) == (1.0, 1.0, 1)
    assert cmc_csv({"photos": result}).endswith("photos,50,1.000000\n")


def test_no_cameras_no_junk():
    table, protocol = _table(cameras=False), PROTOCOLS["folder"]["photos"]
    result = evaluate(_embeddings(table), table, protocol)
    assert (result.kept == result.gallery).all()


def test_queries_without_a_match_are_skipped_and_counted():
    rows = [("query", 1, 0), ("query", 2, 0), ("gallery", 1, 0), ("gallery", 2, 1), ("gallery", 3, 1)]
    table = image_table.build(
        [
            {"path": str(i), "split": s, "pid": p, "camid": c, "width": 1, "height": 1, "sha1": ""}
            for i, (s, p, c) in enumerate(rows)
        ],
        {},
    )
    result = evaluate(_embeddings(table), table, PROTOCOLS["folder"]["photos"])
    assert result.query.tolist() == [1]
    assert result.skipped == 1
    assert result.kept.tolist() == [3]


def test_trapezoid_by_name_is_lower_and_unknown_names_are_refused():
    table, protocol = _table(), PROTOCOLS["folder"]["photos"]
    embeddings = _embeddings(table)
    rectangle, trapezoid = (evaluate(embeddings, table, protocol, name) for name in ("rectangle", "trapezoid"))
    assert trapezoid.ap.mean() < rectangle.ap.mean()
    with pytest.raises(UserError, match="rectangle"):
        evaluate(embeddings, table, protocol, "area")
    other = Embeddings(embeddings.image_id, embeddings.features, embeddings.visibility, {"distance": "far"})
    with pytest.raises(UserError, match="cosine"):
        evaluate(other, table, protocol)


def test_bad_embeddings_are_refused():
    table, protocol = _table(), PROTOCOLS["folder"]["photos"]
    embeddings = _embeddings(table)
    features = embeddings.features.copy()
    row = int(np.flatnonzero(embeddings.image_id == np.flatnonzero(protocol.query(table))[0])[0])
    for number in (np.nan, 1e20):  # the square of the second is infinite, and so its distances are no numbers
        features[row, 0, 0] = number
        broken = Embeddings(embeddings.image_id, features, embeddings.visibility, embeddings.header)
        with pytest.raises(UserError, match="diverged"):
            evaluate(broken, table, protocol)
    features[row] = 1e19  # each part's square is finite, that of all together is not
    visibility = embeddings.visibility.copy()
    visibility[row, 0] = np.nan
    for each, shown in ((features, embeddings.visibility), (embeddings.features, visibility)):
        with pytest.raises(UserError, match="diverged"):
            evaluate(Embeddings(embeddings.image_id, each, shown, embeddings.header), table, protocol)
    with pytest.raises(UserError, match="no embedding"):
        evaluate(embeddings.take(np.arange(30)), table, protocol)


def test_the_record_says_what_was_done():
    header = {"seed": 3, "distance": "parts", "table": "abc", "weights": "def", "labels": {"pifpaf": "123"}}
    about = record("bpbreid", "synthetic", header, PROTOCOLS["synthetic"], "trapezoid", "skip")
    assert (about["seed"], about["table"], about["weights"], about["labels"]) == (3, "abc", "def", {"pifpaf": "123"})
    assert "(i - 1)" in about["average_precision_formula"]
    assert about["protocols"]["general"] == PROTOCOLS["synthetic"]["general"].text
    assert "no order" in about["ties"]
    json.dumps(about, allow_nan=False)


def test_source_that_is_not_installed_has_no_version(monkeypatch):
    # as on a machine that trains from a copied checkout
    def unknown(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr("partreid.evaluation.record.version", unknown)
    assert record("bot", "synthetic", {}, {}, "rectangle", "skip")["version"] is None


@pytest.mark.parametrize("rerank", [None, {"k1": 20, "k2": 6, "original": 0.3, "half": "python"}])
def test_what_can_be_compared_with_nothing_scores_as_chance_wherever_its_person_stands(rerank):
    table = _table(cameras=False)
    order = np.lexsort((image_table.integers(table, "pid"),))  # same persons side by side, as in every benchmark
    table = image_table.build(
        [{k: v for k, v in row.items() if k != "image_id"} for row in table.take(order).to_pylist()], {}
    )
    embeddings = _embeddings(table, distance="parts")
    blind = Embeddings(
        embeddings.image_id, embeddings.features, np.zeros_like(embeddings.visibility), embeddings.header
    )
    result = evaluate(blind, table, PROTOCOLS["folder"]["photos"], rerank=rerank)
    by_chance, first = metrics.chance(result.right, result.kept)
    np.testing.assert_allclose(result.ap, by_chance, rtol=1e-9)
    np.testing.assert_allclose(result.found[:, 0], first, rtol=1e-9)
    values = summary(result)
    assert values["mAP"] == pytest.approx(by_chance.mean(), abs=1e-6)
    assert values.get("incomparable", 0) == (0 if rerank else len(result.query))  # re-ranked distances are finite
    assert "incomparable" not in summary(evaluate(embeddings, table, PROTOCOLS["folder"]["photos"]))


@pytest.mark.parametrize("top", [1, 20])  # of a list of one, ties often cross the end
def test_the_first_match_is_where_the_list_shows_it(top):
    table = _table()
    embeddings = _embeddings(table, distance="parts")
    features = np.round(embeddings.features / 4)  # ties are many
    rounded = Embeddings(embeddings.image_id, features, embeddings.visibility, embeddings.header)
    for row in ranks_table({"photos": evaluate(rounded, table, PROTOCOLS["folder"]["photos"], top=top)}).to_pylist():
        places = [place for place, match in enumerate(row["match"], 1) if match]
        assert row["first_match_rank"] == places[0] if places else row["first_match_rank"] > len(row["match"])


def test_a_gallery_larger_than_memory_is_streamed_with_the_same_result(tmp_path, monkeypatch):
    table = _table()
    embeddings = _embeddings(table)
    file = tmp_path / "embeddings.npz"
    write(file, embeddings.header, [embeddings])
    protocol = PROTOCOLS["synthetic"]["general"]
    monkeypatch.setattr(ranking, "GALLERY", 16)  # so that the gallery has many blocks
    loaded = evaluate(embeddings, table, protocol)
    monkeypatch.setattr(results, "IN_MEMORY", 0)
    streamed = evaluate(Stored(file), table, protocol)
    for name in Result.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(loaded, name), getattr(streamed, name))


def test_single_shot_draws_one_image_per_person_and_averages_the_draws():
    whole = _table()
    where = zip(whole["split"].to_pylist(), whole["camid"].to_pylist(), strict=True)
    keep = [split != "gallery" or camera == 0 for split, camera in where]  # PRCC's gallery is camera A
    embeddings, table = _embeddings(whole), whole.filter(pa.array(keep))
    protocol = PROTOCOLS["prcc"]["same-clothes-single-shot"]
    result = evaluate(embeddings, table, protocol)
    assert result.draws == 10
    assert set(result.draw) == set(range(10))
    assert (result.right == 1).all()
    np.testing.assert_allclose(result.ap, 1 / result.first)  # one right answer: AP is the reciprocal rank
    values = summary(result)
    assert values["mAP"] >= values["rank1"]
    assert values["queries"] * 10 == len(result.query)
    again = evaluate(embeddings, table, protocol)
    np.testing.assert_array_equal(result.ap, again.ap)
    per_draw = [result.ap[result.draw == draw].mean() for draw in range(10)]
    assert len(set(per_draw)) > 1
    assert ranks_table({"x": result}).num_rows == values["queries"]


def test_queries_without_a_match_are_skipped_or_counted():
    table, protocol = _table(), PROTOCOLS["synthetic"]["cross-clothes"]
    table = table.set_column(5, "clothes_id", [[0 if pid < 4 else c for pid, c in zip(
        table["pid"].to_pylist(), table["clothes_id"].to_pylist(), strict=True)]]).cast(table.schema)  # fmt: skip
    skipped, counted = (evaluate(_embeddings(table), table, protocol, unmatched=how) for how in ("skip", "count"))
    assert skipped.skipped > 0
    assert counted.skipped == 0
    assert len(counted.query) == len(skipped.query) + skipped.skipped
    share = len(skipped.query) / len(counted.query)
    for name in ("mAP", "rank1", "mINP"):
        assert summary(counted)[name] == pytest.approx(share * summary(skipped)[name], abs=1e-6)
