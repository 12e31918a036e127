"""CMC curves as they are drawn."""

import cv2
import numpy as np
import pytest

from partreid.drawing import plots


@pytest.mark.parametrize(
    ("curves", "last"),
    [
        ({"a": np.ones(50)}, 10),  # a gallery of a few images
        ({"a": np.minimum(np.arange(50), 13) / 13, "b": np.ones(50)}, 14),
        ({"a": np.linspace(0.5, 1, 50)}, 50),
        ({"a": np.ones(4)}, 4),
    ],
)
def test_the_axis_ends_where_no_curve_rises_any_more(curves, last):
    (axes,) = plots.cmc(curves).axes
    for line, values in zip(axes.lines, curves.values(), strict=True):
        assert line.get_xdata().tolist() == list(range(1, last + 1))
        assert line.get_ydata().tolist() == values[:last].tolist()
    assert axes.get_xticks().max() <= last


def test_the_pixels_are_those_of_the_png():
    figure = plots.curve("loss", np.arange(3), np.array([3.0, 2.0, 1.5]))
    decoded = cv2.imdecode(np.frombuffer(plots.png(figure), np.uint8), cv2.IMREAD_COLOR)
    assert np.array_equal(plots.pixels(figure), cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB))
