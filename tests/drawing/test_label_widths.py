import numpy as np
import pytest

from partreid.drawing.label_marks import HEIGHT, panel, panel_width


@pytest.mark.parametrize("size", [(128, 64), (64, 64), (90, 41), (400, 30), (50, 200), (1, 1)])
def test_a_panels_width_is_known_before_it_is_drawn(size):
    assert panel(np.zeros((*size, 3), np.uint8)).shape == (HEIGHT, panel_width(*size), 3)
