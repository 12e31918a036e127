import numpy as np
import pytest

from partreid.labels import coverage, grouping, pictures


def test_every_part_of_every_grouping_has_a_colour_of_its_own():
    for parts in grouping.GROUPS:
        colours = [pictures.PART_COLOURS[name] for name in grouping.names(parts)]
        assert len(set(colours)) == len(colours), parts


def test_parts_are_drawn_where_their_map_is_strongest():
    image = np.zeros((40, 20, 3), np.uint8)
    maps = np.zeros((2, 4, 2), np.float32)
    maps[0, 0, 0], maps[1, 3, 1] = 1, 1
    drawn = pictures.parts(image, maps, ("head", "torso"))
    for place, name in (((0, 0), "head"), ((39, 19), "torso")):
        np.testing.assert_allclose(drawn[place], 0.6 * np.array(pictures.PART_COLOURS[name]), atol=1)
    assert not drawn[0, 19].any()


@pytest.mark.parametrize("shape", [(128, 64), (1, 1), (30, 300), (2000, 100)])
def test_a_sheet_holds_images_of_any_size(shape):
    image = np.full((*shape, 3), 90, np.uint8)
    values = {"fields": np.full((36, 33, 17), 255, np.uint8)}
    tile = pictures.tile("7 ok", pictures.pifpaf(image, values, 8))
    sheet = pictures.sheet([tile, tile, tile], columns=2)
    assert sheet.shape == (2 * tile.shape[0], 2 * tile.shape[1], 3)
    assert sheet.dtype == np.uint8
    assert pictures.legend(grouping.names(8), 400).shape[1] == 400


def test_coverage_counts_by_split():
    split = np.array(["train", "train", "query", "train"])
    status = np.array([0, 1, 2, 0], np.uint8)
    assert coverage.by_split(split, status) == [("train", 3, [2, 1, 0]), ("query", 1, [0, 0, 1]), ("all", 4, [2, 1, 1])]
    text = coverage.text(split, status, np.array([0.95, 0.2, 0.0, 1.0]))
    assert "66.7%" in text
    assert "0.9 to 1.0       2" in text
    assert "0.0 to 0.1       0" in text  # the unreadable image has no score


def test_every_score_is_in_the_histogram():
    bins = coverage.histogram(np.linspace(0, 1, 101))
    assert sum(count for *_, count in bins) == 101
    assert bins[-1] == (0.9, 1.0, 11)
