import numpy as np
import pytest

from partreid.labels import fields
from partreid.skeleton import FIELD_MIRROR, KEYPOINT_MIRROR, KEYPOINTS, LINKS

# an upright person of stature 200 in an image of 128 x 256 pixels, seen from the front
FRONT = {
    "nose": (64, 40), "left_eye": (68, 36), "right_eye": (60, 36), "left_ear": (73, 38), "right_ear": (55, 38),
    "left_shoulder": (86, 60), "right_shoulder": (42, 60), "left_elbow": (92, 92), "right_elbow": (36, 92),
    "left_wrist": (95, 120), "right_wrist": (33, 120), "left_hip": (78, 117.6), "right_hip": (50, 117.6),
    "left_knee": (78, 167), "right_knee": (48, 165), "left_ankle": (80, 215.8), "right_ankle": (46, 212),
}  # fmt: skip
SIZE = np.array([[256, 128]])
GRID = {"height": 33, "width": 17, "thickness": 1.0, "min_score": 0.3}


def person(**scores: float) -> np.ndarray:
    points = [[*FRONT[name], scores.get(name, 1.0)] for name in KEYPOINTS]
    return np.array([points], np.float32)


def flipped(keypoints: np.ndarray, width: float) -> np.ndarray:
    mirrored = keypoints[:, list(KEYPOINT_MIRROR)].copy()
    mirrored[..., 0] = width - mirrored[..., 0]
    return mirrored


def slow(
    keypoints: np.ndarray, size: np.ndarray, height: int, width: int, thickness: float, min_score: float
) -> np.ndarray:
    """The docstring's words as loops."""
    tall = float(fields.stature(keypoints[None], size[:1], min_score)[0])
    result = np.zeros((36, height, width))
    ends = [(k, k) for k in range(17)] + [(KEYPOINTS.index(a), KEYPOINTS.index(b)) for a, b in LINKS]
    for f, (a, b) in enumerate(ends):
        if keypoints[a, 2] < min_score or keypoints[b, 2] < min_score:
            continue
        p, q = keypoints[a, :2].astype(float), keypoints[b, :2].astype(float)
        for i in range(height):
            for j in range(width):
                c = np.array([(j + 0.5) * size[1] / width, (i + 0.5) * size[0] / height])
                length2 = float((q - p) @ (q - p))
                t = 0.0 if length2 == 0 else min(max(float((c - p) @ (q - p)) / length2, 0), 1)
                d = np.linalg.norm(c - p - t * (q - p))
                result[f, i, j] = 2 ** -((d / (thickness * fields.RADIUS[f] * tall)) ** 2)
    return result


def test_vectorised_equals_loops():
    rng = np.random.default_rng(0)
    keypoints = rng.uniform(-20, 150, (3, 17, 3)).astype(np.float32)
    keypoints[..., 2] = rng.random((3, 17))
    sizes = np.array([[256, 128], [90, 70], [128, 64]])
    found = fields.draw(keypoints, sizes, 9, 6, thickness=1.3, min_score=0.3)
    for row in range(3):
        np.testing.assert_allclose(found[row], slow(keypoints[row], sizes[row], 9, 6, 1.3, 0.3), atol=1e-4)


def test_stature_of_an_upright_person():
    # eyes at 36 and ankles at 213.9 are 0.897 of the stature apart
    assert fields.stature(person(), SIZE[:, 0], 0.3)[0] == pytest.approx(177.9 / 0.897, rel=0.02)


def test_stature_does_not_need_the_legs():
    legs = {name: 0.0 for name in KEYPOINTS if "knee" in name or "ankle" in name}
    assert fields.stature(person(**legs), SIZE[:, 0], 0.3)[0] == pytest.approx(200, rel=0.05)


def test_stature_without_any_measure_is_the_image_height():
    nothing = dict.fromkeys(KEYPOINTS, 0.0)
    assert fields.stature(person(**nothing), SIZE[:, 0], 0.3)[0] == 256


def test_a_flip_exchanges_left_and_right():
    keypoints = person(left_wrist=0.1)
    expected = fields.draw(keypoints, SIZE, **GRID)[:, list(FIELD_MIRROR), :, ::-1]
    np.testing.assert_allclose(fields.draw(flipped(keypoints, 128), SIZE, **GRID), expected, atol=1e-5)


def test_scale_does_not_matter():
    large = person()
    large[..., :2] *= 10
    np.testing.assert_allclose(fields.draw(large, SIZE * 10, **GRID), fields.draw(person(), SIZE, **GRID), atol=1e-4)


def test_moving_by_whole_cells_moves_the_fields():
    before = fields.draw(person(), SIZE, 32, 16, thickness=1, min_score=0.3)
    moved = person()
    moved[..., 0] += 2 * 8
    moved[..., 1] += 3 * 8
    after = fields.draw(moved, SIZE, 32, 16, thickness=1, min_score=0.3)
    np.testing.assert_allclose(after[:, :, 3:, 2:], before[:, :, :-3, :-2], atol=1e-4)


def test_an_unseen_keypoint_leaves_no_trace_nor_do_its_links():
    found = fields.draw(person(left_knee=0.29), SIZE, **GRID)[0]
    gone = [13] + [17 + i for i, link in enumerate(LINKS) if "left_knee" in link]
    assert gone == [13, 17, 18]
    dark = [f for f in range(36) if not found[f].any()]
    assert dark == gone


def test_half_is_reached_at_the_half_width():
    keypoints = person()
    x, y = FRONT["left_knee"]
    tall = fields.stature(keypoints, SIZE[:, 0], 0.3)[0]
    # a grid of one-pixel cells: the cell centre nearest to one half-width left of the knee
    found = fields.draw(keypoints, SIZE, 256, 128, thickness=1, min_score=0.3)[0, 13]
    assert found[int(y), int(x - fields.RADIUS[13] * tall)] == pytest.approx(0.5, abs=0.06)


def test_filling_keeps_the_order_of_fields_and_follows_the_mask():
    plain = fields.draw(person(), SIZE, **GRID)
    mask = np.full((1, 33, 17), 0.8, np.float32)
    mask[:, :, 9:] = 0
    filled = fields.fill(plain, mask)
    near = plain.max(1) >= fields.FLOOR
    np.testing.assert_allclose(filled.max(1), np.where(near, mask, 0), atol=1e-6)
    inside = near & (mask > 0)
    np.testing.assert_array_equal(filled.argmax(1)[inside], plain.argmax(1)[inside])


def test_resampling_averages_by_overlap():
    maps = np.arange(24.0).reshape(1, 4, 6)
    np.testing.assert_allclose(fields.resample(maps, 2, 3)[0], maps.reshape(2, 2, 3, 2).mean((1, 3)), rtol=1e-6)
    np.testing.assert_allclose(fields.resample(maps, 3, 5).mean(), maps.mean(), rtol=1e-6)
    np.testing.assert_allclose(fields.resample(maps, 8, 12)[0, ::2, ::2], maps[0], rtol=1e-6)
