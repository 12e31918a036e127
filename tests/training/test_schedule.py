import pytest

from partreid.training.schedule import factor


@pytest.mark.parametrize(
    ("epoch", "expected"), [(0, 0.1), (5, 0.55), (10, 1), (39.9, 1), (40, 0.1), (69.9, 0.1), (70, 0.01), (119, 0.01)]
)
def test_the_papers_schedule(epoch, expected):
    assert factor(epoch, 10, 0.1, [40, 70], 0.1) == pytest.approx(expected)
