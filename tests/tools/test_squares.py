import numpy as np
import pytest

from partreid.tools import squares


@pytest.mark.parametrize("size", [(128, 64), (300, 500), (1, 1), (1000, 20)])
def test_letterbox_keeps_the_aspect_and_continues_the_border(size):
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    square, (x, y, w, h) = squares.letterbox(image, 0.7, 0.15)
    assert square.shape == (256, 256, 3)
    assert square.dtype == np.uint8
    assert max(h, w) == round(0.7 * 256)
    assert w / h == pytest.approx(size[1] / size[0], rel=1 / min(w, h))
    inside = square[y : y + h, x : x + w]
    np.testing.assert_array_equal(square[: y + 1, x : x + w], np.broadcast_to(inside[0], (y + 1, w, 3)))
    np.testing.assert_array_equal(square[y : y + h, :x], np.broadcast_to(inside[:, :1], (h, x, 3)))


def test_points_of_the_square_come_back_to_the_image():
    _, box = squares.letterbox(np.zeros((300, 100, 3), np.uint8), 0.7, 0.15)
    x, y, w, h = box
    corners = np.array([[x, y], [x + w, y + h], [x + w / 2, y + h / 4]])
    np.testing.assert_allclose(squares.back(corners, box, (300, 100)), [[0, 0], [100, 300], [50, 75]])
