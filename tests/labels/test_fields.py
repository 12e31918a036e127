import numpy as np
import pytest

from partreid.body.skeleton import FIELD_MIRROR, KEYPOINTS, LINKS
from partreid.labels import fields, geometry
from upright import FRONT, SIZE, flipped, person

GRID = {"height": 33, "width": 17, "thickness": 1.0, "min_score": 0.3}


def slow(
    keypoints: np.ndarray, size: np.ndarray, height: int, width: int, thickness: float, min_score: float
) -> np.ndarray:
    """The docstring's words as loops."""
    tall = float(geometry.stature(keypoints[None], size[:1], min_score)[0])
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
    keypoints[0, ::2, 2] = 0.3  # just enough to be seen
    sizes = np.array([[256, 128], [90, 70], [128, 64]])
    found = fields.draw(keypoints, sizes, 9, 6, thickness=1.3, min_score=0.3)
    for row in range(3):
        np.testing.assert_allclose(found[row], slow(keypoints[row], sizes[row], 9, 6, 1.3, 0.3), atol=1e-4)


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
    tall = geometry.stature(keypoints, SIZE[:, 0], 0.3)[0]
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
