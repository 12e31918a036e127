"""partreid.tools.consensus_head on made-up people."""

from dataclasses import replace

import numpy as np
import pytest

from partreid.labels import heads
from partreid.tools import consensus, consensus_head, evidence, odds
from partreid.tools.body_parts import Parts
from partreid.tools.evidence import Evidence

SIZE = (256, 128)


def said(strength: float = 0.95) -> Evidence:
    own = np.zeros((*evidence.GRID, 17), np.float32)
    own[10, 15] = strength
    blank = np.zeros((*evidence.FINE, 3), np.uint8)
    return Evidence(blank, own.copy(), own, np.zeros_like(own), np.zeros(evidence.FINE, np.float32), ())


def parts(head: float = 1.0) -> Parts:
    """A head in rows 10 to 29 and columns 24 to 39 of cells of two pixels, a torso from row 32 on, 40 rows high."""
    classes = np.zeros((*evidence.FINE, 7), np.float32)
    classes[10:30, 24:40, 1] = head
    classes[32:72, 20:44, 2] = 1
    classes[..., 0] = 1 - classes.sum(-1)
    return Parts(classes, said().own)


def keypoints(seen: float = 0.9, x: float = 64) -> np.ndarray:
    """Of somebody who faces the camera, in pixels: eyes 200 pixels above the ankles; the head's joints around x."""
    places = {0: (x, 44), 1: (x + 4, 40), 2: (x - 4, 40), 3: (x + 12, 42), 4: (x - 12, 42)}
    places |= {5: (80, 66), 6: (48, 66), 11: (74, 130), 12: (54, 130), 13: (74, 185), 14: (54, 185)}
    places |= {15: (74, 240), 16: (54, 240)}
    found = np.zeros((17, 3), np.float32)
    for k, place in places.items():
        found[k] = *place, 0.9
    found[:5, 2] = seen
    return found


def box(one: Evidence, shown: Parts, joints: np.ndarray, **changed: object) -> np.ndarray:
    return consensus_head.box(one, consensus_head.look(shown, joints, SIZE), {**consensus.fitted(), **changed})


def test_left_top_and_right_are_the_head_s_and_the_chin_is_below_them():
    x0, y0, x1, y1 = box(said(), parts(), keypoints())
    np.testing.assert_allclose([x0, y0, x1], [48, 20, 80], atol=0.01)
    assert 50 < y1 < 66  # between mouth and torso


def test_a_chin_is_lower_where_more_head_and_the_torso_are_lower():
    longer = parts()
    longer.classes[30:36, 24:40] = np.eye(7)[1]  # hair, a beard, a neck
    assert box(said(), longer, keypoints())[3] > box(said(), parts(), keypoints())[3] + 2


def test_there_is_no_box_where_the_head_probably_is_hidden():
    assert np.isnan(box(said(0.01), parts(0), keypoints(0.05))).all()


def test_a_head_that_no_cell_shows_for_certain_has_the_box_of_joints_and_mask():
    one, joints = parts(0.4), keypoints()
    expected = heads.make(joints[None], 255 * (1 - one.classes[None, ..., 0]), np.array([SIZE]), min_score=0.5)[0]
    np.testing.assert_allclose(box(said(), one, joints, head_from=0), expected, atol=1)


def test_the_box_does_not_depend_on_the_resolution_of_the_image():
    joints = keypoints()
    half = joints * [0.5, 0.5, 1]
    at = consensus_head.look(parts(), half.astype(np.float32), (128, 64))
    np.testing.assert_allclose(
        2 * consensus_head.box(said(), at, consensus.fitted()), box(said(), parts(), joints), rtol=1e-4
    )


def test_the_mirrored_image_has_the_mirrored_box():
    one, joints = parts(), keypoints(x=60)
    mirror = joints.copy()
    mirror[:, 0] = SIZE[1] - mirror[:, 0]
    turned = replace(one, classes=one.classes[:, ::-1].copy())
    x0, y0, x1, y1 = box(said(), one, joints)
    np.testing.assert_allclose(box(said(), turned, mirror), [SIZE[1] - x1, y0, SIZE[1] - x0, y1], atol=1e-3)


def test_traits_are_what_they_are_called():
    def logit(p):
        return np.log(p / (1 - p))

    one = said(0.7)
    one.joints[20, 20, 2] = 0.8  # somebody else's eye
    joints = keypoints(0.6)
    joints[3, 2] = 0.9
    at = consensus_head.look(parts(0.8), joints, SIZE)
    share = 20 * 16 / (128 * 64)
    expected = [logit(0.7), logit(0.8), logit(0.9), 0.66, np.log(odds.LEAST + share), logit(0.8), 0.8]
    np.testing.assert_allclose(consensus_head.traits(one, at), expected, rtol=1e-4)


def test_traits_of_the_chin_are_places_below_the_middle_of_the_head():
    at = consensus_head.look(parts(), keypoints(), SIZE)
    assert at.patch is not None
    half, most, torso, seen, wide, nose, across = consensus_head.chin_traits(at, at.patch)
    assert half == pytest.approx(0, abs=1e-5)
    assert most * at.height == pytest.approx(0.48 * 40, rel=0.01)
    assert torso * at.height == pytest.approx(64 - 40, rel=0.01)
    assert (seen, wide) == pytest.approx((0.9, 0.9 * 32 / at.height))
    assert nose * at.height == pytest.approx(44 - 40, rel=0.01)
    assert across == pytest.approx(0, abs=1e-6)


def test_where_no_torso_is_seen_it_begins_where_the_head_ends():
    one = parts()
    one.classes[32:] = np.eye(7)[0]
    at = consensus_head.look(one, keypoints(), SIZE)
    assert at.patch is not None
    assert consensus_head.torso_top(at, at.patch) == at.patch.box[3] == pytest.approx(60)


def test_a_stray_joint_of_the_head_does_not_move_its_place():
    joints = keypoints(0.3)  # from behind
    straight = consensus_head.look(parts(), joints, SIZE)
    joints[4, 1:] = 180, 0.05
    stray = consensus_head.look(parts(), joints, SIZE)
    assert abs(stray.place[1] - straight.place[1]) < 3
    assert abs(stray.ruled[1::2] - straight.ruled[1::2]).max() < 3
    assert abs(box(said(), parts(), joints)[1::2] - box(said(), parts(), keypoints(0.3))[1::2]).max() < 3
