from functools import partial

import pytest

from partreid.training.schedule import factor

at = partial(factor, epochs=160, warmup_epochs=10, warmup_start=0.1, decay_at=[40, 70], decay=0.1, final_rate=1e-3)


@pytest.mark.parametrize(
    ("epoch", "expected"), [(0, 0.1), (5, 0.55), (10, 1), (39.9, 1), (40, 0.1), (69.9, 0.1), (70, 0.01), (119, 0.01)]
)
def test_the_papers_schedule(epoch, expected):
    assert at(epoch, schedule="steps") == pytest.approx(expected)


@pytest.mark.parametrize(
    ("epoch", "expected"), [(0, 0.1), (5, 0.55), (10, 1), (85, 0.5005), (160, 0.001), (47.5, 0.853700)]
)
def test_a_cosine_ends_at_its_final_rate(epoch, expected):
    assert at(epoch, schedule="cosine") == pytest.approx(expected, rel=1e-5)
