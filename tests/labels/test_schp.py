import numpy as np
import pytest

from partreid.body.parsing import PARSING
from partreid.body.skeleton import KEYPOINTS
from partreid.labels import geometry, schp
from partreid.labels.heads import face
from partreid.storage import cache
from upright import SIZE, blob, flipped, native, people, person, written

DRAW = {"thickness": 1.0, "min_score": 0.3}
OPTIONS = {"height": 16, "width": 8, **DRAW}
STATUS = np.array([cache.OK, cache.MISSING, cache.FAILED, cache.OK], np.uint8)


def to_segment(c: np.ndarray, p: np.ndarray, q: np.ndarray) -> float:
    length2 = float((q - p) @ (q - p))
    t = 0.0 if length2 == 0 else min(max(float((c - p) @ (q - p)) / length2, 0), 1)
    return float(np.linalg.norm(c - p - t * (q - p)))


def slow(keypoints: np.ndarray, size: np.ndarray, height: int, width: int, thickness: float, min_score: float):
    """The docstring's words as loops; of equals (to a hair) the upper part."""
    tall = float(geometry.stature(keypoints[None], size[:1], min_score)[0])
    at = {name: row[:2].astype(float) for name, row in zip(KEYPOINTS, keypoints, strict=True) if row[2] >= min_score}
    (head,), (known,) = face(keypoints[None], min_score)
    shoulders = [at[name] for name in ("left_shoulder", "right_shoulder") if name in at]
    trunk = shoulders + [at[name] for name in ("left_hip", "right_hip") if name in at]
    radius = {part: value * thickness * tall for part, value in schp.RADIUS.items()}
    radius["torso"] = schp.RADIUS["torso"] * tall
    result = np.zeros((height, width), int)
    for i in range(height):
        for j in range(width):
            c = np.array([(j + 0.5) * size[1] / width, (i + 0.5) * size[0] / height])
            near = dict.fromkeys(PARSING, np.inf)
            near["background"] = schp.REACH
            if known:
                near["head"] = to_segment(c, head, head) / radius["head"]
            if known and shoulders:
                end = head + schp.NECK * (np.mean(shoulders, 0) - head)
                near["head"] = min(near["head"], to_segment(c, head, end) / radius["neck"])
            if trunk:
                nearest = min(to_segment(c, a, b) for a in trunk for b in trunk)
                near["torso"] = max(nearest / radius["torso"], schp.OVER)
            for part, upper, lower in schp.LIMBS:
                for side in ("left", "right"):
                    a, b = at.get(f"{side}_{upper}"), at.get(f"{side}_{lower}")
                    if a is None or b is None:
                        continue
                    if part == "upper_legs" and (c - a - schp.CROTCH * (b - a)) @ (b - a) < 0:
                        continue
                    near[part] = min(near[part], to_segment(c, a, b) / radius[part])
            result[i, j] = next(c for c, part in enumerate(PARSING) if near[part] <= min(near.values()) * (1 + 5e-5))
    return result


def test_nearest_parts_equal_loops():
    keypoints = people(6)
    keypoints[0, :, 2] = 0.1  # nothing is seen
    keypoints[1, 5:7, 2] = 0.1  # no shoulders: the trunk is the line between the hips
    keypoints[1, :, 0] += 100  # far from the corner, so that half of the image is nobody
    keypoints[2, [5, 6, 11], 2] = 0.1  # one hip
    keypoints[3, 5:, 2] = 0.3  # just enough to be seen
    keypoints[5, 14, :2] = keypoints[5, 12, :2] - (45, 0)  # a raised knee
    keypoints[5, :, 2] = 1
    keypoints[5, 7:11, 2] = 0.1  # and no arms beside it
    sizes = np.array([[256, 128], [250, 260], [256, 128], [256, 128], [200, 128], [256, 90]])
    found = schp.nearest(keypoints, sizes, 21, 10, thickness=1.2, min_score=0.3)
    for row in range(6):
        expected = slow(keypoints[row], sizes[row], 21, 10, 1.2, 0.3)
        np.testing.assert_array_equal(found[row], expected, err_msg=str(row))
    assert not found[0].any()
    assert set(np.unique(found)) == set(range(7))


def test_parts_of_an_upright_person():
    parts = schp.nearest(person(), SIZE, 256, 128, **DRAW)[0]
    places = {
        "head": (64, 36), "torso": (64, 90), "upper_arms": (90, 78), "lower_arms": (34, 110), "upper_legs": (77, 152),
        "lower_legs": (47, 190),
    }  # fmt: skip
    for name, (x, y) in places.items():
        assert PARSING[parts[y, x]] == name
    assert parts[0, 0] != PARSING.index("background")  # REACH is far
    assert parts[128, 2] == PARSING.index("lower_arms")


def test_a_neck_is_head_to_a_little_above_the_shoulders():
    keypoints = person()
    keypoints[0, :5, 1] -= 30  # ears at 8, shoulders at 60: beyond the disc around the ears
    column = schp.nearest(keypoints, SIZE, 256, 128, **DRAW)[0, :, 64]
    end = int(8 + schp.NECK * (60 - 8) + schp.RADIUS["neck"] * 150)
    assert {PARSING[c] for c in column[8:end]} == {"head"}
    assert PARSING[column[52]] == "torso"


def test_the_torso_reaches_to_the_crotch():
    x = 72  # on the left thigh: hip at 117.6, knee at 167
    parts = schp.nearest(person(), SIZE, 256, 128, **DRAW)[0, :, x]
    crotch = 117.6 + schp.CROTCH * (167 - 117.6)
    assert PARSING[parts[int(crotch) - 3]] == "torso"
    assert PARSING[parts[int(crotch) + 3]] == "upper_legs"


def test_an_unseen_arm_leaves_the_torso_whole():
    keypoints = person()
    keypoints[0, [KEYPOINTS.index("left_elbow"), KEYPOINTS.index("left_wrist")], :2] = (64, 80), (60, 110)
    across = schp.nearest(keypoints, SIZE, 256, 128, **DRAW)[0]
    assert PARSING[across[95, 62]] == "lower_arms"
    keypoints[0, [KEYPOINTS.index("left_elbow"), KEYPOINTS.index("left_wrist")], 2] = 0.1
    hidden = schp.nearest(keypoints, SIZE, 256, 128, **DRAW)[0]
    assert PARSING[hidden[95, 62]] == "torso"


def test_a_flip_mirrors_the_maps():
    keypoints, mask, sizes = people(12), blob().repeat(12, 0), SIZE.repeat(12, 0)
    parsing, probability = schp.make(keypoints, mask, sizes, height=64, width=32, **DRAW)
    found = schp.make(flipped(keypoints, 128), mask[:, :, ::-1], sizes, height=64, width=32, **DRAW)
    np.testing.assert_array_equal(found[1], probability[:, :, ::-1])
    assert (found[0] != parsing[:, :, ::-1]).mean() < 1e-3  # cells on a border between two parts


def test_the_maps_do_not_depend_on_the_resolution():
    keypoints, mask, sizes = people(12), blob().repeat(12, 0), SIZE.repeat(12, 0)
    before = schp.make(keypoints, mask, sizes, height=64, width=32, **DRAW)
    large = keypoints * np.array([2, 2, 1], np.float32)
    after = schp.make(large, mask, 2 * sizes, height=64, width=32, **DRAW)
    np.testing.assert_array_equal(after[1], before[1])
    assert (after[0] != before[0]).mean() < 1e-3


def test_the_maps_move_with_the_person():
    mask = np.pad(blob(), ((0, 0), (32, 0), (16, 0)))
    moved = person() + np.array([32, 64, 0], np.float32)
    before = schp.make(person(), blob(), SIZE, height=128, width=64, **DRAW)
    after = schp.make(moved, mask, SIZE + [64, 32], height=160, width=80, **DRAW)
    for old, new in zip(before, after, strict=True):
        assert (new[:, 32:, 16:] != old).mean() < 1e-3


def test_parts_lie_in_the_mask():
    parsing, probability = schp.make(person(), blob(), SIZE, height=128, width=64, **DRAW)
    np.testing.assert_array_equal(probability, blob())
    np.testing.assert_array_equal(parsing > 0, blob() >= 128)


def test_thickness_gives_limbs_more_of_the_torso():
    arms = [PARSING.index("upper_arms"), PARSING.index("lower_arms")]
    thin, thick = (
        np.isin(schp.nearest(person(), SIZE, 64, 32, thickness=value, min_score=0.3), arms).sum()
        for value in (0.7, 1.4)
    )
    assert thick > 1.3 * thin


def test_rows_from_keypoints(tmp_path):
    seen, table = native(tmp_path, STATUS, {"keypoints": people(4), "person": blob().repeat(4, 0)})
    header, work = schp.build(seen, table, person=seen, **OPTIONS)
    assert header["parameters"] == OPTIONS
    assert header["person"]["tool"] == "made"
    label = written(tmp_path, "schp", ".npz", header, work, table)
    np.testing.assert_array_equal(label.status, STATUS)
    parsing, probability = (label.rows(name, np.arange(4)) for name in ("parsing", "person"))
    expected = schp.make(people(4), blob().repeat(4, 0), SIZE.repeat(4, 0), **OPTIONS)
    for found, made in zip((parsing, probability), expected, strict=True):
        assert found.dtype == np.uint8
        np.testing.assert_array_equal(found[[0, 3]], made[[0, 3]])
        assert found[0].any()
        assert not found[1:3].any()


def test_rows_from_a_tools_own_parsing(tmp_path):
    own = np.random.default_rng(0).integers(0, 7, (4, 128, 64)).astype(np.uint8)
    seen, table = native(tmp_path, STATUS, {"parsing": own, "person": blob().repeat(4, 0)})
    same = {**OPTIONS, "height": 128, "width": 64}
    found = schp.build(seen, table, person=seen, **same)[1](0, 4)
    np.testing.assert_array_equal(found["parsing"][[0, 3]], own[[0, 3]])
    np.testing.assert_array_equal(found["person"][3:], blob())
    small = schp.build(seen, table, person=seen, **OPTIONS)[1](0, 4)
    np.testing.assert_array_equal(small["parsing"][3:], geometry.majority(own[3:], 7, 16, 8))
    assert not small["parsing"][1:3].any()


@pytest.mark.parametrize("members", ["keypoints", "parsing"])
def test_the_mask_of_a_second_tool_is_taken_and_both_must_be_ok(tmp_path, members):
    values = {"keypoints": people(4), "parsing": np.full((4, 128, 64), 2, np.uint8)}
    (tmp_path / "other").mkdir()
    ok = np.full(4, cache.OK, np.uint8)
    seen, table = native(tmp_path, ok, {members: values[members]})
    other, _ = native(tmp_path / "other", STATUS, {"person": blob().repeat(4, 0)[:, :, ::-1]})
    header, work = schp.build(seen, table, person=other, **OPTIONS)
    found = work(0, 4)
    np.testing.assert_array_equal(found["status"], STATUS)
    mirrored = schp.make(people(1), blob()[:, :, ::-1], SIZE, **OPTIONS)[1]
    np.testing.assert_array_equal(found["person"][:1], mirrored)
    assert not found["parsing"][1:3].any()
    assert set(header["person"]) == {"tool", "tool_version", "weights", "parameters"}


def test_beyond_a_bent_elbow_equally_near_cells_are_all_upper_arm():
    keypoints = person()
    keypoints[0, [KEYPOINTS.index("left_elbow"), KEYPOINTS.index("left_wrist")], :2] = (110, 60), (110, 90)
    corner = schp.nearest(keypoints, SIZE, 256, 128, **DRAW)[0, 45:59, 112:124]  # up and right of the elbow
    assert np.unique(corner).tolist() == [PARSING.index("upper_arms")]
