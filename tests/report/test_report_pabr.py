import numpy as np
import pytest

from partreid.body.openpose_layout import JOINTS
from partreid.report import pabr
from partreid.report.sheets import CELL_W, GAP


def test_colours_are_the_three_directions_of_most_spread():
    random = np.random.default_rng(0)
    scores = random.uniform(-1, 1, (500, 3))
    scores = np.linalg.qr(scores - scores.mean(0))[0] * [90, 50, 20]  # uncorrelated
    directions = np.linalg.qr(random.normal(size=(8, 3)))[0]  # (8, 3), orthonormal
    descriptors = scores @ directions.T + 0.01 * random.normal(size=(500, 8)) + 4
    p = pabr.projection(descriptors)
    assert np.abs(p.axes.T @ directions) == pytest.approx(np.eye(3), abs=0.02)
    drawn = pabr.colours(descriptors, p)
    assert drawn.dtype == np.uint8
    for axis in range(3):  # a component is a colour: in order, and over the whole range
        order = np.corrcoef(drawn[:, axis], scores[:, axis])[0, 1]
        assert abs(order) > 0.99
        assert drawn[:, axis].min() == 0
        assert drawn[:, axis].max() == 255
    again = pabr.projection(descriptors[::-1])
    assert np.allclose(again.axes, p.axes, atol=1e-6)  # signs too


def test_few_channels_and_no_spread_are_borne():
    same = np.ones((10, 3))
    assert pabr.colours(same, pabr.projection(same)).shape == (10, 3)


def test_the_part_of_a_cell_is_the_group_of_its_strongest_joint():
    maps = np.zeros((2, 57, 20, 10), np.float16)
    maps[0, 38 + JOINTS.index("left_ankle"), 19, 3] = 0.9
    maps[0, 38 + JOINTS.index("nose"), 19, 3] = 0.6
    maps[0, 38 + JOINTS.index("neck"), 2, 5] = 0.7
    maps[0, 38 + JOINTS.index("right_knee"), 12, 5] = 0.4  # too far from it
    maps[1, 56] = 1  # the background is no part
    on = pabr.parts(maps, (20, 10))
    assert sorted({int(value) for value in np.unique(on[0])}) == [-1, 1, 4]
    assert (on[0, 19, 3], on[0, 2, 5]) == (list(pabr.GROUPS).index("feet"), list(pabr.GROUPS).index("torso"))
    assert (on[1] == -1).all()
    coarse = pabr.parts(maps, (4, 2))  # a peak is not averaged away
    assert (coarse[0, 3, 0], coarse[0, 0, 1]) == (4, 1)
    assert {name for names in pabr.GROUPS.values() for name in names} == set(JOINTS)


def test_persons_with_enough_images_are_shown():
    pids = np.array([1, 1, 1, 1, 2, 2, 3, 3, 3, 9])
    test = np.arange(9)
    rows = pabr.persons(pids, test, np.array([4, 2, 6]))
    assert rows[:, 0].tolist() == [2, 6]
    for row in rows:
        assert len(set(row.tolist())) == pabr.EACH
        assert len(set(pids[row].tolist())) == 1
    alone = pabr.persons(np.arange(1, 5), np.arange(4), np.arange(4))
    assert alone.tolist() == [[0], [1], [2], [3]]


@pytest.mark.parametrize("names", [("appearance", "part"), ("appearance",)])
def test_sheets_and_scatters_have_a_place_for_everything(names):
    random = np.random.default_rng(0)
    thumbs = [np.full((20, 10, 3), value, np.uint8) for value in (10, 60, 110, 160)]
    maps = [random.integers(0, 256, (4, 5, 3, 3), dtype=np.uint8) for _ in names]
    drawn = pabr.map_sheet(thumbs, maps, names, 2)
    assert drawn.shape[1] >= 2 * (1 + len(names)) * (CELL_W + GAP)
    descriptors = [random.normal(size=(120, 4)) for _ in names]
    points = pabr.scatter(descriptors, random.integers(0, 5, 120), names, 1)
    assert points.dtype == np.uint8
    assert points.shape == (598, 598 * len(names), 3)
    assert points.std() > 5
