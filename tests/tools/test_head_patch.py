"""partreid.tools.head_patch on maps whose patch is known."""

import numpy as np
import pytest

from partreid.tools import head_patch

SIZE = (256, 256)  # of an image under a map of 64 x 32 cells: 4 pixels high, 8 wide


def disc(x: float, y: float, radius: float, soft: float = 1.0) -> np.ndarray:
    """How much of a disc, in cells, each cell shows, with a soft border: (64, 32)."""
    rows, columns = np.mgrid[:64, :32] + 0.5
    return np.clip(0.5 + (radius - np.hypot(columns - x, rows - y)) / (2 * soft), 0, 1).astype(np.float32)


def test_a_border_between_two_cells_is_where_the_values_fall_through_a_half():
    assert head_patch.start(np.array([0, 0.2, 0.7, 1])) == pytest.approx(1.5 + 0.6)
    assert head_patch.start(np.array([0, 0, 1.0, 1])) == pytest.approx(2)
    assert head_patch.start(np.array([0.5, 1])) == 0  # as far as the image reaches
    assert head_patch.bottom(np.array([1, 0.7, 0.2, 0, 0])) == pytest.approx(2.5 - 0.6)
    assert head_patch.bottom(np.array([0, 1.0])) == 2


@pytest.mark.parametrize("x", [10.0, 10.25, 10.5, 10.9])
def test_edges_follow_a_head_that_moves_by_less_than_a_cell(x):
    found = head_patch.find(disc(x, 20.3, 5), SIZE)
    assert found is not None
    cells = np.array(found.box) / [8, 4, 8, 4]
    np.testing.assert_allclose(cells, [x - 5, 20.3 - 5, x + 5, 20.3 + 5], atol=0.2)
    np.testing.assert_allclose(np.array(found.middle()) / [8, 4], [x, 20.3], atol=0.1)


def test_the_patch_with_the_most_head_is_taken_and_no_other_counts():
    larger, smaller = disc(8, 12, 5), disc(25, 50, 3)
    alone, both = (head_patch.find(head, SIZE) for head in (larger, larger + smaller))
    assert alone is not None
    assert both is not None
    assert both.box == alone.box
    np.testing.assert_array_equal(both.head, alone.head)


def test_rows_are_those_of_the_disc():
    found = head_patch.find(disc(16, 30, 6), SIZE)
    assert found is not None
    assert found.row(0.5) == pytest.approx(30 * 4, abs=0.2)
    assert found.row(0) < found.row(0.1) < found.row(0.98) < found.box[3]


def test_the_mirrored_map_has_the_mirrored_box():
    head = disc(9.3, 20, 5)
    a, b = head_patch.find(head, SIZE), head_patch.find(head[:, ::-1], SIZE)
    assert a is not None
    assert b is not None
    x0, y0, x1, y1 = a.box
    np.testing.assert_allclose(b.box, [256 - x1, y0, 256 - x0, y1], atol=1e-4)


def test_without_a_cell_that_is_more_head_than_not_there_is_no_patch():
    assert head_patch.find(0.49 * np.ones((64, 32), np.float32), SIZE) is None


def test_a_map_that_is_all_head_reaches_to_the_borders():
    found = head_patch.find(np.ones((64, 32), np.float32), SIZE)
    assert found is not None
    assert found.box == (0, 0, 256, 256)
