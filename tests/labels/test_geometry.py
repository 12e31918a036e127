from itertools import combinations

import numpy as np
import pytest

from partreid.body.skeleton import KEYPOINTS
from partreid.labels import geometry
from upright import FRONT, SIZE, blob, flipped, people, person


def test_stature_of_an_upright_person():
    # eyes at 36 and ankles at 213.9 are 0.897 of the stature apart
    assert geometry.stature(person(), SIZE[:, 0], 0.3)[0] == pytest.approx(177.9 / 0.897, rel=0.02)


HEIGHTS = {"eye": 0.936, "shoulder": 0.818, "hip": 0.530, "ankle": 0.039}  # Drillis and Contini, of the stature


@pytest.mark.parametrize(("a", "b"), [pair for pair in combinations(HEIGHTS, 2) if pair != ("eye", "shoulder")])
def test_two_heights_on_an_upright_body_are_enough(a, b):
    keypoints = np.zeros((1, 17, 3), np.float32)
    for k, name in enumerate(KEYPOINTS):
        height = HEIGHTS.get(geometry.bare(name), 0.5)
        keypoints[0, k] = 50, 100 - 100 * height, geometry.bare(name) in (a, b)
    assert geometry.stature(keypoints, np.array([90]), 1.0)[0] == pytest.approx(100, rel=0.01)
    keypoints[..., 2] *= 0.99  # below what counts as seen
    assert geometry.stature(keypoints, np.array([90]), 1.0)[0] == 90


def test_stature_is_at_most_one_and_a_half_times_the_image():
    assert geometry.stature(person(), np.array([100]), 0.3)[0] == 150


def test_stature_does_not_need_the_legs():
    legs = {name: 0.0 for name in KEYPOINTS if "knee" in name or "ankle" in name}
    assert geometry.stature(person(**legs), SIZE[:, 0], 0.3)[0] == pytest.approx(200, rel=0.05)


def test_stature_without_any_measure_is_the_image_height():
    nothing = dict.fromkeys(KEYPOINTS, 0.0)
    assert geometry.stature(person(**nothing), SIZE[:, 0], 0.3)[0] == 256


def test_stature_grows_with_the_image_and_a_mirror_keeps_it():
    keypoints = people(20)
    tall = geometry.stature(keypoints, np.full(20, 256), 0.3)
    mirrored = geometry.stature(flipped(keypoints, 128), np.full(20, 256), 0.3)
    np.testing.assert_allclose(mirrored, tall, rtol=1e-5)
    large = keypoints * np.array([3, 3, 1], np.float32)
    np.testing.assert_allclose(geometry.stature(large, np.full(20, 768), 0.3), 3 * tall, rtol=1e-5)


def test_the_middle_of_a_pair_is_of_those_that_are_seen():
    both, seen = geometry.middle(person(), "ear", 0.5)
    assert both[0] == pytest.approx((64, 38))
    one, _ = geometry.middle(person(left_ear=0.4), "ear", 0.5)
    assert one[0] == pytest.approx(FRONT["right_ear"])
    _, none = geometry.middle(person(left_ear=0.4, right_ear=0.4), "ear", 0.5)
    assert (seen[0], none[0]) == (True, False)


def test_centres_of_cells_cover_the_extent_evenly():
    np.testing.assert_allclose(geometry.centres(4, np.array([8.0, 2.0])), [[1, 3, 5, 7], [0.25, 0.75, 1.25, 1.75]])
    np.testing.assert_allclose(geometry.centres(2, 5.0), [1.25, 3.75])


def test_squared_distances_equal_loops():
    random = np.random.default_rng(0)
    x, y, start, end = random.random(5), random.random(4), random.random((3, 2)), random.random((3, 2))
    end[2] = start[2]
    found = geometry.squared_distance(x, y, start, end)
    for s in range(3):
        steps = start[s] + np.linspace(0, 1, 5001)[:, None] * (end[s] - start[s])
        for i in range(4):
            for j in range(5):
                expected = ((steps - [x[j], y[i]]) ** 2).sum(1).min()
                assert found[s, i, j] == pytest.approx(expected, abs=1e-6)


def test_resampling_averages_by_overlap():
    maps = np.arange(24.0).reshape(1, 4, 6)
    np.testing.assert_allclose(geometry.resample(maps, 2, 3)[0], maps.reshape(2, 2, 3, 2).mean((1, 3)), rtol=1e-6)
    np.testing.assert_allclose(geometry.resample(maps, 3, 5).mean(), maps.mean(), rtol=1e-6)
    np.testing.assert_allclose(geometry.resample(maps, 8, 12)[0, ::2, ::2], maps[0], rtol=1e-6)


def test_resampling_to_the_same_grid_changes_nothing():
    np.testing.assert_array_equal(np.rint(geometry.resample(blob(), 128, 64)), blob())


def slow_majority(classes: np.ndarray, number: int, height: int, width: int) -> np.ndarray:
    """Counts on a grid fine enough that every cell of both grids is whole."""
    fine = classes.repeat(height, 0).repeat(width, 1)
    tall, wide = classes.shape
    result = np.zeros((height, width), int)
    for i in range(height):
        for j in range(width):
            cell = fine[i * tall : (i + 1) * tall, j * wide : (j + 1) * wide]
            result[i, j] = np.bincount(cell.ravel(), minlength=number).argmax()
    return result


@pytest.mark.parametrize("grid", [(4, 3), (5, 4), (12, 16)])
def test_majority_equals_counting(grid):
    classes = np.random.default_rng(1).integers(0, 3, (50, 4, 7)).astype(np.uint8)
    found = geometry.majority(classes, 3, *grid)
    for row in range(50):
        np.testing.assert_array_equal(found[row], slow_majority(classes[row], 3, *grid))
    np.testing.assert_array_equal(geometry.majority(classes[:, :, ::-1], 3, *grid), found[:, :, ::-1])
    assert found.dtype == np.uint8
