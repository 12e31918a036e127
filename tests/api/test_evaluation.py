"""Distances of any origin, evaluated as the pipeline evaluates its own."""

import numpy as np
import pytest
import torch

import partreid
from evaluation import slow
from partreid.errors import UserError
from partreid.evaluation import metrics
from partreid.evaluation.distances import DISTANCES, tensors
from partreid.evaluation.protocols import PROTOCOLS
from partreid.evaluation.results import evaluate, summary
from partreid.storage import image_table
from partreid.storage.embeddings import Embeddings


def test_it_is_what_the_pipeline_finds():
    random = np.random.default_rng(3)
    rows = [
        {
            "path": f"{i}.jpg", "split": ("query", "gallery")[i % 4 > 0], "pid": int(random.integers(-1, 15)),
            "camid": int(random.integers(0, 3)), "width": 1, "height": 1, "sha1": "",
        }
        for i in range(600)
    ]  # fmt: skip
    table = image_table.build(rows, {})
    features = random.integers(0, 3, (600, 2, 3)).astype(np.float32)  # with ties
    embedded = Embeddings(np.arange(600), features, np.ones((600, 2), np.float32), {"distance": "euclidean"})
    wanted = summary(evaluate(embedded, table, PROTOCOLS["dukemtmc"]["duke"]))

    asking, answering = (image_table.select(table, split) for split in ("query", "gallery"))
    sides = [tensors(embedded.of(side["image_id"].to_numpy())) for side in (asking, answering)]
    who, where = ([side[name].to_numpy() for side in (asking, answering)] for name in ("pid", "camid"))
    given = DISTANCES["euclidean"](*sides)
    found = partreid.evaluate(given, who[0], who[1], camids=where[0], gallery_camids=where[1])
    assert found == wanted
    assert wanted["gallery"] < len(answering)  # there is junk

    shuffled = random.permutation(len(answering))
    names = [np.array([f"p{n}" if n >= 0 else "-1" for n in side]) for side in (who[0], who[1][shuffled])]
    cameras = [["a", "b", "c"][n] for n in where[0]], [["a", "b", "c"][n] for n in where[1][shuffled]]
    assert found == partreid.evaluate(
        torch.as_tensor(given)[:, shuffled], *names, camids=cameras[0], gallery_camids=cameras[1]
    )


@pytest.mark.parametrize("cameras", [None, [0, 1, 0, 1, None, 2, 2, float("nan")]])
def test_a_set_against_itself_never_finds_the_asking_image(cameras):
    pids = [7, 7, 7, 3, 3, 3, 5, -1]
    distances = np.random.default_rng(1).random((8, 8))
    np.fill_diagonal(distances, 0)
    found = partreid.evaluate(distances, pids, camids=cameras)

    known = [-1 if camera is None or camera != camera else camera for camera in cameras or [-1] * 8]
    images = [{"image": i, "pid": pids[i], "camera": known[i], "clothes": -1} for i in range(7)]  # without junk
    good = [slow.ranking("market", q, images, distances[i], range(7))[1] for i, q in enumerate(images)]
    right = [each for each in good if any(each)]
    assert (found["queries"], found["skipped"], found["gallery"]) == (len(right), 7 - len(right), 7)
    assert found["mAP"] == pytest.approx(
        np.mean([slow.average_precision(each, "rectangle") for each in right]), abs=1e-6
    )
    assert found["rank1"] == pytest.approx(np.mean([each[0] for each in right]), abs=1e-6)


def test_what_cannot_be_compared_comes_last_and_similarities_are_negated():
    similar = np.array([[0.9, 0.2, 0.5], [0.1, 0.3, 0.7]])
    assert partreid.evaluate(-similar, [1, 2], [1, 1, 2])["mAP"] == pytest.approx((5 / 6 + 1) / 2, abs=1e-6)
    assert partreid.evaluate(np.array([[np.inf, 1.0]]), [1], [1, 2])["rank1"] == 0


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((np.zeros((2, 3)), [1, 2]), "distances are 2 x 3; those of a set from itself are square: give gallery_pids"),
        ((np.zeros(3), [1, 2]), r"distances are float64 \(3,\); expected numbers \(Q, G\)"),
        (([["a"]], [1]), r"distances are <U1 \(1, 1\); expected numbers"),
        ((np.zeros((0, 3)), [], [1, 2, 3]), r"distances are float64 \(0, 3\)"),
        (([[0, 1], [1]], [1, 1]), r"distances: a list that is no array \(.*inhomogeneous"),
        ((np.zeros((1, 2)), [1], [1, [2, 3]]), r"gallery_pids: a list that is no array"),
        (
            ([[0, np.nan]], [1], [1, 2]),
            r"the distance in row 0, column 1 is NaN; where nothing can be compared give \+inf",
        ),
        ((np.zeros((2, 3)), [1], [1, 2, 3]), r"pids have the shape \(1,\), expected \(2,\)"),
        ((np.zeros((1, 2)), [1], [[1, 2]]), r"gallery_pids have the shape \(1, 2\), expected \(2,\)"),
        ((np.zeros((1, 2)), [None], [1, 2]), "entry 0 of pids is None, expected a number or a name; -1 where"),
        ((np.zeros((1, 2)), [float("nan")], [1, 2]), "entry 0 of pids is nan, expected a number or a name"),
        ((np.zeros((1, 2)), [1], [1, b"a"]), "entry 0 of gallery_pids is b'1', expected a number or a name"),
        ((np.zeros((1, 2)), [3], [1, 2]), "nobody who asks has a right answer .* pids of both sides are to name"),
        ((np.zeros((1, 2)), [-1], [-1, 2]), "nobody who asks has a right answer"),
    ],
)
def test_what_cannot_be_is_one_message(given, message):
    with pytest.raises(UserError, match=message):
        partreid.evaluate(*given)


def test_cameras_are_given_for_both_sides_alike():
    with pytest.raises(UserError, match="gallery_camids were given without gallery_pids"):
        partreid.evaluate(np.zeros((2, 2)), [1, 1], gallery_camids=[1, 2])
    with pytest.raises(UserError, match=r"gallery_camids have the shape \(3,\), expected \(2,\)"):
        partreid.evaluate(np.zeros((2, 2)), [1, 1], [1, 1], camids=[1, 2], gallery_camids=[1, 2, 3])
    assert metrics.TIES  # what the docstring names
