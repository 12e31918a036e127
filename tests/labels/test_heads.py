import numpy as np
import pytest

from partreid.labels import geometry, heads
from partreid.storage import cache
from upright import FRONT, SIZE, blob, flipped, native, people, person, written

OPTIONS = {"margin": 0.0, "min_score": 0.3}
STATUS = np.array([cache.OK, cache.MISSING, cache.FAILED, cache.OK], np.uint8)
NO_HEAD = {name: 0.0 for name in FRONT if name.endswith(("nose", "eye", "ear"))}


def slow(keypoints: np.ndarray, person: np.ndarray, size: np.ndarray, min_score: float) -> np.ndarray:
    """The docstring's words as loops."""
    tall = float(geometry.stature(keypoints[None], size[:1], min_score)[0])
    groups = (("left_ear", "right_ear"), ("left_eye", "right_eye"), ("nose",))
    places = [
        [
            keypoints[k, :2]
            for k, name in enumerate(geometry.KEYPOINTS)
            if name in group and keypoints[k, 2] >= min_score
        ]
        for group in groups
    ]
    seen = next((place for place in places if place), None)
    if seen is None:
        return np.full(4, np.nan)
    x, y = np.mean(seen, 0)
    h = heads.HEIGHT * tall
    rows, columns = person.shape
    inside = []
    for i in range(rows):
        for j in range(columns):
            cx, cy = (j + 0.5) * size[1] / columns, (i + 0.5) * size[0] / rows
            if person[i, j] >= 128 and y - heads.ABOVE * h <= cy <= y and abs(cx - x) <= heads.BESIDE * h:
                inside.append((i, j))
    chin = y + heads.CHIN * h
    if not inside:
        return np.array([x - heads.WIDTH / 2 * h, chin - h, x + heads.WIDTH / 2 * h, chin])
    i, j = np.array(inside).T
    return np.array([j.min() * size[1] / columns, i.min() * size[0] / rows, (j.max() + 1) * size[1] / columns, chin])


def test_boxes_equal_loops():
    keypoints, mask = people(12), blob().repeat(12, 0)
    keypoints[0, :5, 2] = 0.1  # no head
    keypoints[1, 3:5, 2] = 0.1  # no ears
    keypoints[2, 1:5, 2] = 0.1  # only the nose
    keypoints[2, 0, 2] = 1
    mask[3] = 0
    mask[4] = 255  # of which a head has no more than a window
    mask[5][mask[5] > 0] = 128  # just the person
    mask[6][mask[6] > 0] = 127  # just not
    sizes = SIZE.repeat(12, 0)
    found = heads.make(keypoints, mask, sizes, min_score=0.3)
    expected = [slow(keypoints[row], mask[row], sizes[row], 0.3) for row in range(12)]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-3)
    assert np.isnan(found[0]).all()
    assert not np.isnan(found[1:]).any()


def test_the_box_holds_the_head_of_an_upright_person():
    x0, y0, x1, y1 = heads.make(person(), blob(), SIZE, min_score=0.3)[0]
    # the blob's head is an ellipse around (66, 36), 26 wide and 32 high; the shoulders are at 60
    assert (x0, x1) == pytest.approx((51, 81), abs=4)
    assert y0 == pytest.approx(18, abs=3)
    assert 44 < y1 < 58


def test_a_flip_mirrors_the_box():
    keypoints, mask, sizes = people(12), blob().repeat(12, 0), SIZE.repeat(12, 0)
    x0, y0, x1, y1 = heads.make(keypoints, mask, sizes, min_score=0.3).T
    found = heads.make(flipped(keypoints, 128), mask[:, :, ::-1], sizes, min_score=0.3)
    np.testing.assert_allclose(found.T, [128 - x1, y0, 128 - x0, y1], rtol=1e-5)


def test_the_box_grows_with_the_image():
    keypoints, mask, sizes = people(12), blob().repeat(12, 0), SIZE.repeat(12, 0)
    large = keypoints * np.array([2, 2, 1], np.float32)
    expected = 2 * heads.make(keypoints, mask, sizes, min_score=0.3)
    np.testing.assert_allclose(heads.make(large, mask, 2 * sizes, min_score=0.3), expected, rtol=1e-5)


def test_the_box_moves_with_the_person():
    # black border of 16 cells at the left and 32 at the top
    mask = np.pad(blob(), ((0, 0), (32, 0), (16, 0)))
    moved = person() + np.array([32, 64, 0], np.float32)
    before = heads.make(person(), blob(), SIZE, min_score=0.3)
    after = heads.make(moved, mask, SIZE + [64, 32], min_score=0.3)
    np.testing.assert_allclose(after, before + [32, 64, 32, 64], rtol=1e-5)


def test_a_margin_widens_each_side_and_stays_in_the_image():
    boxes = np.array([[40, 20, 60, 60], [-10, -4, 10, 16], [5, 5, np.nan, 9], [-30, 0, -2, 9]], np.float32)
    found = heads.widen(boxes, SIZE.repeat(4, 0), 0.5)
    np.testing.assert_allclose(found[:2], [[30, 0, 70, 80], [0, 0, 20, 26]])
    assert np.isnan(found[2]).all()
    np.testing.assert_allclose(found[3], [0, 0, 12, 13.5])
    assert np.isnan(heads.widen(boxes[3:], SIZE, 0.0)).all()  # outside of the image


def test_rows_from_keypoints(tmp_path):
    keypoints = np.concatenate([person(), person(), person(), person(**NO_HEAD)])
    seen, table = native(tmp_path, STATUS, {"keypoints": keypoints, "person": blob().repeat(4, 0)})
    header, work = heads.build(seen, table, **OPTIONS)
    assert header["parameters"] == OPTIONS
    label = written(tmp_path, "heads", ".parquet", header, work, table)
    # no head is seen in the last image, so it is missing
    assert label.status.tolist() == [cache.OK, cache.MISSING, cache.FAILED, cache.MISSING]
    boxes = np.stack([label.rows(name, np.arange(4)) for name in heads.CORNERS], 1)
    np.testing.assert_array_equal(boxes[:1], heads.make(person(), blob(), SIZE, min_score=0.3))
    assert np.isnan(boxes[1:]).all()
    assert label.rows("score", [3]) == [1]
    # whatever counts as seen where the tool found nobody
    found = heads.build(seen, table, margin=0.0, min_score=0.0)[1](0, 4)
    assert found["status"].tolist() == [cache.OK, cache.MISSING, cache.FAILED, cache.OK]
    assert all(np.isnan(found[name]).tolist() == [False, True, True, False] for name in heads.CORNERS)


def test_rows_from_a_tools_own_boxes(tmp_path):
    own = np.array([[40, 20, 60, 60]] * 3 + [[np.nan] * 4], np.float32)
    seen, table = native(tmp_path, STATUS, {"head": own, "keypoints": person().repeat(4, 0)})
    header, work = heads.build(seen, table, margin=0.25, min_score=0.3)
    label = written(tmp_path, "heads", ".parquet", header, work, table)
    assert label.status.tolist() == [cache.OK, cache.MISSING, cache.FAILED, cache.MISSING]
    assert [float(label.rows(name, [0])[0]) for name in heads.CORNERS] == [35, 10, 65, 70]
