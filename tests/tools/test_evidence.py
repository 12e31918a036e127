from pathlib import Path

import numpy as np
import pytest

from partreid.tools import blazepose, evidence, movenet


def naive_sample(maps, box, grid):
    """Bilinear, cell by cell; positions between cell centres, the border continued."""
    x0, y0, w, h = box
    result, last = np.zeros((*grid, maps.shape[2])), len(maps) - 1
    for i in range(grid[0]):
        for j in range(grid[1]):
            y = np.clip((y0 + h * (i + 0.5) / grid[0]) * len(maps) / 256 - 0.5, 0, last)
            x = np.clip((x0 + w * (j + 0.5) / grid[1]) * len(maps) / 256 - 0.5, 0, last)
            a, b = int(y), int(x)
            for row, column, share in (
                (a, b, (1 - (y - a)) * (1 - (x - b))),
                (min(a + 1, last), b, (y - a) * (1 - (x - b))),
                (a, min(b + 1, last), (1 - (y - a)) * (x - b)),
                (min(a + 1, last), min(b + 1, last), (y - a) * (x - b)),
            ):
                result[i, j] += share * maps[row, column]
    return result


@pytest.mark.parametrize("box", [(74, 19, 109, 218), (0, 0, 256, 256), (100, 20, 7, 200)])
@pytest.mark.parametrize(("cells", "grid"), [(64, (64, 32)), (16, (16, 8))])
def test_maps_of_the_square_are_read_at_the_image_s_cells(box, cells, grid):
    maps = np.random.default_rng(0).random((cells, cells, 3), np.float32)
    np.testing.assert_allclose(evidence.sample(maps, box, grid), naive_sample(maps, box, grid), atol=1e-5)


def features(y=0.0, x=0.0):
    """MoveNet's, each with channel 0 where the spot is."""
    made = [
        np.zeros((cells, cells, channels), np.float32) for cells, channels in ((64, 24), (64, 40), (32, 24), (16, 32))
    ]
    for maps in made:
        maps[int(y * len(maps) / 256), int(x * len(maps) / 256), 0] = 1
    return tuple(made)


@pytest.fixture
def networks(monkeypatch):
    """Two networks that see a white spot: MoveNet as joint 5 and a centre, BlazePose as its landmark and mask."""

    def spot(image):
        rows, columns = np.nonzero(image[..., 0] > 200)
        return rows.mean() + 0.5, columns.mean() + 0.5

    def run(_graph, _constants, square):
        y, x = spot(square)
        shape = (movenet.CELLS, movenet.CELLS)
        joints = np.zeros((*shape, 17), np.float32)
        joints[int(y / 4), int(x / 4), 5] = 1
        centre = joints[..., 5].copy()
        return movenet.Maps(joints, centre, *2 * [np.zeros((*shape, 17, 2), np.float32)], features(y, x))

    def glance(image, _model, how):
        y, x = spot(image)
        landmarks = np.zeros((33, 5), np.float32)
        landmarks[:, 0], landmarks[:, 1] = x, y
        landmarks[blazepose.COCO[5], 3] = 1 if not how.mirrored else 0.5
        person = np.zeros((128, 64), np.float32)
        person[: int(128 * y / image.shape[0])] = 1
        return 0.8, landmarks, person

    monkeypatch.setattr(movenet, "run", run)
    monkeypatch.setattr(blazepose, "glance", glance)
    return evidence.Networks(Path(), Path(), Path())


def white_spot(row: int, column: int) -> np.ndarray:
    image = np.zeros((256, 128, 3), np.uint8)
    image[row - 6 : row + 6, column - 6 : column + 6] = 255
    return image


def strongest(maps):
    return np.unravel_index(maps.argmax(), maps.shape)


def test_everything_is_where_it_says_in_the_image(networks):
    said = evidence.gather(white_spot(100, 30), networks)  # row 100 / 4, column 30 / 4
    for maps in (said.joints[..., 5], said.own[..., 5], said.discs[..., 5]):
        assert maps.shape == evidence.GRID
        assert 0 <= maps.min() <= maps.max() <= 1
        row, column = strongest(maps)
        assert abs(row - 25) <= 1
        assert abs(column - 7.5) <= 1.5
    assert not said.joints[..., 7].any()
    assert said.discs[..., 5].max() == pytest.approx(0.8, rel=0.15)  # sure of the person, times of the joint
    assert not said.discs[..., 6].any()
    assert said.person[20] == pytest.approx(1)
    assert not said.person[80:].any()
    assert said.image.shape == (128, 64, 3)
    assert said.image[50, 15, 0] == 255
    assert [maps.shape for maps in said.features] == [(64, 32, 64), (32, 16, 24), (16, 8, 32)]
    for maps, share in zip(said.features, (1, 2, 4), strict=True):
        row, column = strongest(maps[..., 0])
        assert abs(row + 0.5 - 25.5 / share) <= 1
        assert abs(column + 0.5 - 8 / share) <= 1.5
    assert strongest(said.features[0][..., 24]) == strongest(
        said.features[0][..., 0]
    )  # the backbone's after the pyramid's


def test_the_person_nearest_the_middle_is_told_from_others(networks, monkeypatch):
    def run(_graph, _constants, _square):
        shape = (movenet.CELLS, movenet.CELLS)
        joints, centre = np.zeros((*shape, 17), np.float32), np.zeros(shape, np.float32)
        joints[20, 32, 0] = joints[20, 24, 0] = 1  # two noses, of equal strength
        centre[30, 32] = centre[30, 24] = 1
        reach = np.zeros((*shape, 17, 2), np.float32)
        reach[..., 0] = -10  # up
        return movenet.Maps(joints, centre, reach, np.zeros((*shape, 17, 2), np.float32), features())

    monkeypatch.setattr(movenet, "run", run)
    said = evidence.gather(white_spot(100, 30), networks)
    everybody, own = said.joints[..., 0].max(0), said.own[..., 0].max(0)
    middle, beside = slice(15, 18), slice(6, 9)  # columns of the square's cells 32 and 24 in the image's box
    assert everybody[beside].max() > 0.3
    assert own[middle].max() > 2 * own[beside].max()


def test_of_two_people_the_one_whose_head_is_nearest_the_top_middle_is_taken():
    shape = (movenet.CELLS, movenet.CELLS)
    box = (74, 19, 109, 218)  # columns 18 to 46 and rows 5 to 59 of the cells
    centre, reach = np.zeros(shape, np.float32), np.zeros((*shape, 17, 2), np.float32)
    centre[30, 32], centre[34, 36] = 0.5, 0.8
    reach[30, 32, :5, 0], reach[34, 36, :5, 0] = -20, -10  # heads in rows 10 and 24
    people = movenet.Maps(np.zeros((*shape, 17), np.float32), centre, reach, reach)
    assert evidence.whose(people, box) == (30, 32)
    centre[30, 32] = 0.02  # hardly anybody
    assert evidence.whose(people, box) == (34, 36)
    centre[30, 32], reach[30, 32, :5] = 0.5, (-20, -14)  # at the image's left border
    reach[34, 36, :5] = (-24, -4)
    assert evidence.whose(people, box) == (34, 36)


def test_discs_stand_at_the_landmarks():
    landmarks = np.zeros((33, 5), np.float32)
    landmarks[:, 0], landmarks[:, 1], landmarks[:, 3] = 42, 84, 1  # centre of cell 10 of 32 in 128, 10 of 64 in 512
    found = evidence._discs(0.5, landmarks, (512, 128))
    np.testing.assert_allclose(found[10, 10], 0.5, rtol=1e-5)
    np.testing.assert_allclose(found[10, 11], 0.5 * np.exp(-1 / (2 * evidence.SPREAD**2)), rtol=1e-4)
