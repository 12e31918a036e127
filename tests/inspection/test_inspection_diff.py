import numpy as np
import pytest

from partreid.inspection import diff

BOTH = np.array([2, 3, 5, 7, 11, 13])
SCORE = np.array([0.5, np.nan, 0.1, 0.9, 0.1, 0.3])


@pytest.mark.parametrize(
    ("one", "count", "expected"),
    [
        ([], 3, [5, 11, 13]),
        ([], 24, [5, 11, 13, 2, 7]),  # without a score there is nothing to compare
        ([20, 21, 22], 4, [5, 11, 13, 20]),
        ([20, 21, 22], 7, [5, 11, 13, 2, 7, 20, 21]),
        ([20, 21, 22], 24, [5, 11, 13, 2, 7, 20, 21, 22]),
    ],
)
def test_the_most_different_come_first(one, count, expected):
    assert diff.most_different(BOTH, SCORE, np.array(one, np.int64), count).tolist() == expected


def test_nobody_in_both_leaves_those_of_one_side():
    none = np.zeros(0, np.int64)
    assert diff.most_different(none, np.zeros(0), np.array([4, 6, 8]), 2).tolist() == [4, 6]
