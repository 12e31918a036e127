"""CMC curves as they are drawn."""

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
