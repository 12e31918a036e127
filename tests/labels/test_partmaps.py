import numpy as np
import pytest

from partreid.body.openpose_layout import CHANNEL_MIRROR, CHANNEL_SIGN, JOINTS, LIMBS
from partreid.body.skeleton import KEYPOINTS
from partreid.labels import partmaps
from partreid.storage import cache
from upright import FRONT, SIZE, flipped, native, people, person, written

OPTIONS = {"sigma": 0.875, "limb_width": 1.0, "min_score": 0.3}
STATUS = np.array([cache.OK, cache.MISSING, cache.FAILED, cache.OK], np.uint8)


def slow(keypoints: np.ndarray, size: np.ndarray, sigma: float, limb_width: float, min_score: float) -> np.ndarray:
    """The docstring's words as loops."""
    at = {name: row[:2].astype(float) for name, row in zip(KEYPOINTS, keypoints, strict=True) if row[2] >= min_score}
    if "left_shoulder" in at and "right_shoulder" in at:
        at["neck"] = (at["left_shoulder"] + at["right_shoulder"]) / 2
    at = {name: np.array([x * 10 / size[1], y * 20 / size[0]]) for name, (x, y) in at.items()}
    maps = np.zeros((57, 20, 10))
    for i in range(20):
        for j in range(10):
            c = np.array([j + 0.5, i + 0.5])
            for number, (first, second) in enumerate(LIMBS):
                if first in at and second in at:
                    p, q = at[first], at[second]
                    length = float(np.linalg.norm(q - p))
                    t = min(max(float((c - p) @ (q - p)) / length**2, 0), 1)
                    if np.linalg.norm(c - p - t * (q - p)) <= limb_width:
                        maps[2 * number : 2 * number + 2, i, j] = (q - p) / length
            for number, joint in enumerate(JOINTS):
                if joint in at:
                    maps[38 + number, i, j] = np.exp(-((c - at[joint]) ** 2).sum() / (2 * sigma**2))
            maps[56, i, j] = 1 - maps[38:56, i, j].max()
    return maps


def test_maps_equal_loops():
    sizes = np.array([[256, 128], [128, 64], [300, 100], [160, 80]])
    keypoints = people(4)
    keypoints[3, ::2, 2] = 0.6  # just enough to be seen
    found = partmaps.make(keypoints, sizes, sigma=0.7, limb_width=1.3, min_score=0.6)
    assert (found.shape, found.dtype) == ((4, 57, 20, 10), np.float16)
    for row in range(4):
        np.testing.assert_allclose(found[row], slow(keypoints[row], sizes[row], 0.7, 1.3, 0.6), atol=1e-3)


def test_limbs_point_from_their_first_joint_to_their_second():
    maps = partmaps.make(person(), SIZE, **OPTIONS)[0]
    thigh = 2 * LIMBS.index(("left_hip", "left_knee"))  # straight down at x = 78, y from 117.6 to 167
    assert maps[thigh : thigh + 2, 11, 6].tolist() == [0, 1]
    assert not maps[thigh : thigh + 2, 11, 8].any()  # further than a cell
    shoulder = 2 * LIMBS.index(("neck", "left_shoulder"))  # to the image's right
    assert maps[shoulder : shoulder + 2, 4, 6].tolist() == [1, 0]


def test_every_seen_limb_is_in_some_cell_and_a_joint_peaks_in_its_own():
    maps = partmaps.make(person(), SIZE, **OPTIONS)[0].astype(float)
    assert (np.abs(maps[:38]).reshape(19, -1).max(1) > 0.7).all()  # the ears' and eyes' are a fraction of a cell long
    knee = maps[38 + JOINTS.index("left_knee")]
    x, y = FRONT["left_knee"]
    assert np.unravel_index(knee.argmax(), knee.shape) == (int(y * 20 / 256), int(x * 10 / 128))


def test_a_flip_exchanges_sides_and_turns_x():
    sizes = SIZE.repeat(12, 0)
    before = partmaps.make(people(12), sizes, **OPTIONS).astype(float)
    expected = before[:, list(CHANNEL_MIRROR), :, ::-1] * np.array(CHANNEL_SIGN)[:, None, None]
    found = partmaps.make(flipped(people(12), 128), sizes, **OPTIONS)
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_scale_does_not_matter_and_whole_cells_move_the_maps():
    before = partmaps.make(person(), SIZE, **OPTIONS)
    large = person() * np.array([2, 2, 1], np.float32)
    np.testing.assert_allclose(partmaps.make(large, 2 * SIZE, **OPTIONS), before, atol=1e-3)
    moved = person() + np.array([12.8, 25.6, 0], np.float32)
    after = partmaps.make(moved, SIZE, **OPTIONS)
    np.testing.assert_allclose(after[:, :, 2:, 1:], before[:, :, :-2, :-1], atol=1e-3)


def test_an_unseen_joint_leaves_no_trace_nor_do_its_limbs():
    maps = partmaps.make(person(left_shoulder=0.1), SIZE, **OPTIONS)[0]
    gone = {"left_shoulder", "neck"}  # the neck is the middle of the shoulders
    dark = [JOINTS[j] for j in range(18) if not maps[38 + j].any()]
    assert set(dark) == gone
    for number, limb in enumerate(LIMBS):
        assert maps[2 * number : 2 * number + 2].any() != bool(gone & set(limb)), limb


def test_nobody_is_background():
    maps = partmaps.make(person(**dict.fromkeys(FRONT, 0.0)), SIZE, **OPTIONS)[0]
    assert not maps[:56].any()
    assert (maps[56] == 1).all()


def test_rows_from_keypoints(tmp_path):
    seen, table = native(tmp_path, STATUS, {"keypoints": people(4)})
    header, work = partmaps.build(seen, table, **OPTIONS)
    assert header["parameters"] == OPTIONS
    label = written(tmp_path, "partmaps", ".npz", header, work, table)
    np.testing.assert_array_equal(label.status, STATUS)
    maps = label.rows("maps", np.arange(4))
    np.testing.assert_array_equal(maps[[0, 3]], partmaps.make(people(4), SIZE.repeat(4, 0), **OPTIONS)[[0, 3]])
    assert not maps[1:3].any()


@pytest.mark.parametrize("channels", [57, 185])
def test_a_tools_own_maps_are_kept(tmp_path, channels):
    own = np.random.default_rng(0).normal(size=(4, channels, 20, 10)).astype(np.float16)
    seen, table = native(tmp_path, STATUS, {"maps": own, "keypoints": people(4)})
    header, work = partmaps.build(seen, table, **OPTIONS)
    label = written(tmp_path, "partmaps", ".npz", header, work, table)
    maps = label.rows("maps", np.arange(4))
    assert maps.dtype == np.float16
    np.testing.assert_array_equal(maps[[0, 3]], own[[0, 3]])
    assert not maps[1:3].any()
