import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from partreid.body.skeleton import KEYPOINT_MIRROR, KEYPOINTS
from partreid.labels.geometry import bare
from partreid.storage import published_weights
from partreid.tools import body_parts, consensus, consensus_head, evidence, movenet, odds
from partreid.tools.body_parts import Parts
from partreid.tools.evidence import Evidence

KINDS = dict.fromkeys(bare(name) for name in KEYPOINTS)
BY_OWN = {kind: [1, 0, 0, 0, 0, 0, 0, 0] for kind in KINDS}  # seen with the probability that MoveNet's own map says


def said(strength: float = 0.9, person: float = 1.0) -> Evidence:
    """Joint k in cell (5 + 3 k, 4 + k), of that strength; a mask of the left half."""
    own = np.zeros((*evidence.GRID, 17), np.float32)
    for k in range(17):
        own[5 + 3 * k, 4 + k, k] = strength
    mask = np.zeros((128, 64), np.float32)
    mask[:, :32] = person
    return Evidence(np.zeros((128, 64, 3), np.uint8), own.copy(), own, np.zeros_like(own), mask, ())


def seen(strength: float = 0.9, person: float = 1.0) -> Parts:
    """The same joints; the left half is the person, its upper 24 rows are head, the others torso."""
    classes = np.zeros((128, 64, 7), np.float32)
    classes[:24, :32, 1], classes[24:, :32, 2] = person, person
    classes[..., 0] = 1 - classes.sum(-1)
    return Parts(classes, said(strength).own)


def test_a_joint_lies_where_its_maps_are_strongest_in_pixels_of_the_image():
    found = consensus.judge(said(), seen(), (512, 128), BY_OWN)
    for k in range(17):
        np.testing.assert_allclose(found[k], [(4.5 + k) * 4, (5.5 + 3 * k) * 8, 0.9], rtol=1e-4)


def test_blazepose_decides_where_movenet_cannot():
    one = said()
    one.own[20, 8, 3], one.own[20, 20, 3] = 0.95, 0.94
    one.discs[20, 20, 3] = 0.2
    x, y, _ = consensus.judge(one, seen(0), (64, 32), BY_OWN)[3]
    assert (x, y) == pytest.approx((20.5, 20.5))


def test_our_own_network_decides_where_the_others_cannot():
    one, parts = said(), seen(0)
    one.own[20, 8, 3], one.own[20, 20, 3] = 0.95, 0.94
    parts.seen[20, 20, 3] = 0.2
    x, y, _ = consensus.judge(one, parts, (64, 32), BY_OWN)[3]
    assert (x, y) == pytest.approx((20.5, 20.5))


def test_the_body_is_our_own_network_s_and_to_a_share_blazepose_s(monkeypatch):
    classes = np.zeros((128, 64, 7), np.float32)
    classes[..., 1], classes[..., 2], classes[..., 0] = 0.6, 0.2, 0.2
    classes[64:] = np.eye(7)[0]
    one = said()  # whose mask is the left half
    monkeypatch.setattr(body_parts, "run", lambda _said: Parts(classes, one.own))
    found = consensus.opinion(one).classes
    np.testing.assert_allclose(found.sum(-1), 1, rtol=1e-5)
    person, share = 1 - found[..., 0], consensus.SHARE
    for place, ours in (((20, 10), 0.8), ((20, 50), 0.8), ((100, 10), 0), ((100, 50), 0)):
        theirs = float(place[1] < 32)
        assert person[place] == pytest.approx((1 - share) * ours + share * theirs, abs=1e-3)
    assert found[20, 10, 1] / found[20, 10, 2] == pytest.approx(3, rel=0.01)  # which part is our own network's to say
    assert found[20, 10, 3] < 0.01


def mirrored(maps: np.ndarray) -> np.ndarray:
    return maps[..., KEYPOINT_MIRROR]


@pytest.mark.parametrize("who", ["movenet", "blazepose", "both", "neither"])
def test_who_exchanges_left_and_right_is_set_right_by_our_own_network(who):
    straight, parts = replace(said(0.9), discs=said(0.7).own), seen(0.4)
    turned = straight
    if who in ("movenet", "both"):
        turned = replace(turned, own=mirrored(straight.own), joints=mirrored(straight.joints))
    if who in ("blazepose", "both"):
        turned = replace(turned, discs=mirrored(straight.discs))
    found = consensus.sided(turned, parts)
    for name in ("own", "joints", "discs"):
        np.testing.assert_array_equal(getattr(found, name), getattr(straight, name))
    np.testing.assert_allclose(
        consensus.judge(turned, parts, (64, 32), BY_OWN), consensus.judge(straight, parts, (64, 32), BY_OWN)
    )


def test_where_our_own_network_knows_nothing_the_others_keep_their_sides():
    one, parts = said(), seen()
    parts.seen[:] = 0.2
    for name in ("own", "joints", "discs"):
        np.testing.assert_array_equal(getattr(consensus.sided(one, parts), name), getattr(one, name))


def test_agreement_is_that_of_the_definition():
    a, b = (np.random.default_rng(seed).random((4, 3, 17)) for seed in (0, 1))
    expected = 0.0
    for k in range(17):
        best = max(a[i, j, k] * b[i, j, k] for i in range(4) for j in range(3))
        expected += np.log(best + odds.LEAST)
    assert consensus.agreement(a, b) == pytest.approx(expected)


def test_a_joint_between_two_cells_is_placed_between_them_and_corners_stay_inside():
    maps = np.zeros((64, 32, 17), np.float32)
    maps[20, 10:12, 0] = 1
    maps[0, 0, 1] = maps[63, 31, 2] = 1
    found = consensus.places(maps)
    np.testing.assert_allclose(found[:3], [[11, 20.5], [0.5, 0.5], [31.5, 63.5]])


def test_traits_are_what_is_said_around_the_joint():
    one = said(0.7)
    one.joints[6, 5, 0] = 0.8  # beside joint 0's cell
    one.joints[8, 4, 0] = 0.99  # too far away
    one.discs[5, 4, 0] = 0.6
    parts = seen(0.4, 0.2)
    parts.classes[10:12, 8:10, 0] = 0.3  # cell (5, 4) at twice the resolution
    found = consensus.traits(one, parts, consensus.places(one.own))

    def logit(p):
        return np.log(p / (1 - p))

    expected = [*(logit(p) for p in (0.7, 0.8, 0.6, 0.4, 0.7)), 1, logit(0.7)]
    np.testing.assert_allclose(found[0], expected, rtol=1e-4, atol=1e-6)
    assert found[16, 5] == 0  # beyond the mask
    assert found[16, 2] == pytest.approx(logit(odds.LEAST), rel=1e-4)


def test_the_fitted_weights_fit_and_a_clearer_joint_is_surer():
    weights = consensus.fitted()
    assert set(weights["seen"]) == set(KINDS)
    assert {len(values) for values in weights["seen"].values()} == {8}
    assert (len(weights["head"]), len(weights["chin"])) == (8, 8)
    assert 0 < weights["head_from"] < 1
    low, high = (
        consensus.judge(said(strength), seen(strength), (128, 64), weights["seen"])[:, 2] for strength in (0.05, 0.95)
    )
    assert (high > low).all()
    assert high.mean() > 0.8
    assert low.mean() < 0.5
    text = consensus.FITTED.read_text()
    assert json.dumps(json.loads(text), indent=2) + "\n" == text  # as stages/consensus.py writes it


def test_a_head_has_a_box_where_it_is_seen_and_none_where_not():
    clear, hidden = (said(0.95), seen(0.95)), (said(0.95), seen(0.95))
    hidden[0].own[..., :5] = hidden[0].joints[..., :5] = hidden[1].seen[..., :5] = 0.01
    hidden[1].classes[:24, :32] = np.eye(7)[2]
    boxes = []
    for one in (clear, hidden):
        keypoints = consensus.judge(*one, (128, 64), consensus.fitted()["seen"])
        at = consensus_head.look(one[1], keypoints, (128, 64))
        boxes.append(consensus_head.box(one[0], at, consensus.fitted()))
    assert np.isnan(boxes[1]).all()
    x0, y0, x1, y1 = boxes[0]
    np.testing.assert_allclose([x0, y0, x1], [0, 0, 32], atol=0.1)  # of the image of 128 x 64: the head's cells
    assert 20 < y1 < 28  # they end at 24


def test_rows_are_ok_missing_or_failed(tmp_path, monkeypatch):
    for name, value in (("good.png", 255), ("nobody.png", 0)):
        cv2.imwrite(str(tmp_path / name), np.full((256, 128, 3), value, np.uint8))
    (tmp_path / "broken.png").write_bytes(b"hello")

    def gather(image, _networks):
        return said(0.95) if image.max() else said(0.01, 0)

    def run(one):
        return seen(0.95) if one.own.max() > 0.5 else seen(0.01, 0)

    monkeypatch.setattr(evidence, "gather", gather)
    monkeypatch.setattr(body_parts, "run", run)
    networks = evidence.Networks(Path(), Path(), Path())
    found = consensus.look(["good.png", "broken.png", "nobody.png"], tmp_path, networks, 0, 3)
    np.testing.assert_array_equal(found["status"], [0, 2, 1])
    assert found["score"][0] > 0.9 > 0.3 > found["score"][2]
    assert {member for member in found if member not in ("status", "score")} == set(consensus.GIVES)
    np.testing.assert_array_equal(found["parsing"][0, [10, 60], :20], [[1] * 20, [2] * 20])
    np.testing.assert_array_equal(found["parsing"][0] > 0, found["person"][0] >= 128)
    for name in ("keypoints", "person", "parsing", "head"):
        assert found[name][0].any(), name
        assert not found[name][1:].any(), name


@pytest.mark.network
def test_a_picture_without_anybody_is_missing(tmp_path):
    networks = evidence.Networks(*movenet.files(), published_weights.path("blazepose_full"))
    cv2.imwrite(str(tmp_path / "grey.png"), np.full((128, 64, 3), 120, np.uint8))
    assert consensus.look(["grey.png"], tmp_path, networks, 0, 1)["status"].tolist() == [1]


def test_a_left_and_a_right_joint_of_one_place_share_the_two_that_both_maps_know():
    one, parts = said(0), seen(0)
    for side in (9, 10):
        parts.seen[20, 8, side], parts.seen[40, 24, side] = 0.6, 0.55
    parts.seen[40, 24, 10] = 0.57
    found = consensus.spots(one, parts)
    np.testing.assert_allclose(found[[9, 10]], [[8.5, 20.5], [24.5, 40.5]])


def test_a_left_and_a_right_joint_stay_in_one_place_where_no_other_is_likely():
    one, parts = said(0), seen(0)
    for side in (9, 10):
        parts.seen[20, 8, side], parts.seen[40, 24, side] = 0.6, 0.3
    found = consensus.spots(one, parts)
    np.testing.assert_allclose(found[[9, 10]], [[8.5, 20.5]] * 2)


def test_peaks_are_apart_and_the_strongest_first():
    joint = np.zeros((64, 32), np.float32)
    joint[10, 10], joint[11, 12], joint[10, 13], joint[63, 31] = 0.9, 0.8, 0.5, 0.7
    assert consensus.peaks(joint) == [10 * 32 + 10, 63 * 32 + 31, 10 * 32 + 13]
