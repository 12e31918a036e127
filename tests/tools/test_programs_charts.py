import numpy as np
import pytest

from partreid.body.parsing import PARSING
from partreid.tools.programs import charts


def test_charts_become_pascals_parts():
    parts = {
        "background": [0], "torso": [1, 2], "head": [23, 24], "upper_arms": [15, 16, 17, 18],
        "lower_arms": [3, 4, 19, 20, 21, 22], "upper_legs": [7, 8, 9, 10], "lower_legs": [5, 6, 11, 12, 13, 14],
    }  # fmt: skip
    assert sorted(number for numbers in parts.values() for number in numbers) == list(range(25))
    for name, numbers in parts.items():
        assert {PARSING[charts.PASCAL[number]] for number in numbers} == {name}


def test_the_largest_box_around_the_centre_is_the_target():
    boxes = np.array([[0, 0, 40, 200], [20, 50, 80, 150], [10, 20, 90, 190], [49, 99, 51, 101]], float)
    assert charts.target(boxes, 200, 100) == 2
    assert charts.target(boxes[[0, 3]], 200, 100) == 1  # the larger one does not contain the centre


def test_without_a_box_around_the_centre_the_nearest_is():
    boxes = np.array([[0, 0, 40, 40], [60, 0, 100, 95], [56, 30, 100, 90], [56, 20, 100, 95]], float)
    assert charts.target(boxes, 200, 100) == 3


def logits(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sure logits of charts (m, m)."""
    fine = 20.0 * (labels == np.arange(25)[:, None, None])
    coarse = 20.0 * np.stack([labels == 0, labels > 0])
    return fine, coarse


def test_charts_lie_where_the_box_lies():
    labels = np.zeros((112, 112), int)
    labels[:56] = 23
    labels[56:, :56] = 1
    box = np.array([10.0, 20, 122, 132])  # one map cell per pixel
    read, person = charts.read(*logits(labels), box, 200, 150)
    expected = np.zeros((200, 150), np.uint8)
    expected[20:132, 10:122] = labels
    np.testing.assert_array_equal(read, expected)
    np.testing.assert_allclose(person, expected > 0, atol=1e-6)


@pytest.mark.parametrize("box", [(-30.0, -20, 50, 80), (40.5, 70.2, 140, 260), (10.2, 10.2, 10.4, 10.4), (3, 3, 3, 3)])
def test_boxes_may_leave_the_image_or_be_tiny(box):
    read, person = charts.read(*logits(np.full((112, 112), 1)), np.array(box), 100, 60)
    y, x = np.mgrid[:100, :60] + 0.5
    inside = (x >= box[0]) & (x <= box[2]) & (y >= box[1]) & (y <= box[3])
    np.testing.assert_array_equal(read, inside)
    np.testing.assert_allclose(person, inside, atol=1e-6)


def test_placing_interpolates_between_cells():
    ramp = np.broadcast_to(np.arange(4.0) + 0.5, (1, 4, 4))  # of 4 cells over 40 pixels: 0.1 per pixel
    placed, x, y = charts.place(ramp, np.array([100.0, 50, 140, 90]), 200, 200)
    assert (placed.shape, x, y) == ((1, 40, 40), 100, 50)
    np.testing.assert_allclose(placed[0, 7], ((np.arange(40) + 0.5) / 10).clip(0.5, 3.5), atol=1e-6)


def test_head_box_is_that_of_the_largest_area():
    labels = np.zeros((60, 40), np.uint8)
    labels[10:20, 5:12] = 23
    labels[10:20, 12:15] = 24  # the other half of the same head
    labels[20:30, 8:20] = 1  # the body below is no head
    labels[40:45, 30:35] = 24
    np.testing.assert_array_equal(charts.head_box(labels), [5, 10, 15, 20])
    labels[20, 15] = 23  # touches at a corner
    np.testing.assert_array_equal(charts.head_box(labels), [5, 10, 16, 21])
    assert np.isnan(charts.head_box(np.where(labels == 1, labels, 0))).all()


def test_parts_and_mask_cover_the_whole_image():
    labels = np.zeros((256, 128), np.uint8)
    labels[:64] = 23
    labels[64:128, :64] = 1
    parsing = charts.parsing(labels)
    assert (parsing.shape, parsing.dtype) == ((128, 64), np.uint8)
    assert (parsing[:32] == PARSING.index("head")).all()
    assert (parsing[32:64, :32] == PARSING.index("torso")).all()
    assert not parsing[64:].any()
    assert not parsing[32:64, 32:].any()


@pytest.mark.parametrize("size", [(1, 1), (128, 64), (300, 50), (77, 131)])
def test_shrinking_keeps_the_mean(size):
    values = np.random.default_rng(0).random(size)
    small = charts.shrink(values)
    assert small.shape == (128, 64)
    assert small.mean() == pytest.approx(values.mean(), rel=1e-4)
    np.testing.assert_allclose(charts.shrink(np.ones(size)), 1, rtol=1e-5)
