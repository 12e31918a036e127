"""Frames in the right colour at the right place, pictures whole inside them."""

import cv2
import numpy as np
import pytest

from partreid.drawing import pictures
from partreid.drawing.pictures import GREEN, GREY, RED
from partreid.report import ranking, sheets
from partreid.report.attention import Looks

BLUE = (20, 40, 230)


def _framed(sheet, colour):
    """Boxes (x, y, width, height) of the closed frames of a colour, from left to right, then down."""
    mask = (sheet == np.array(colour, np.uint8)).all(-1).astype(np.uint8)
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask)
    boxes = [tuple(int(v) for v in row[:4]) for row in stats[1:] if row[2] >= sheets.CELL_W and row[3] >= sheets.CELL_H]
    return sorted(boxes, key=lambda box: (box[1], box[0]))


def _plain(value):
    return np.full((64, 32, 3), value, np.uint8)


def test_frame_surrounds_the_picture_and_hides_none_of_it():
    image = np.random.default_rng(1).integers(0, 255, (20, 10, 3), np.uint8)
    framed = pictures.frame(image, GREEN, 3)
    assert framed.shape == (26, 16, 3)
    np.testing.assert_array_equal(framed[3:-3, 3:-3], image)
    outside = np.ones((26, 16), bool)
    outside[3:-3, 3:-3] = False
    assert (framed[outside] == GREEN).all()


@pytest.mark.parametrize("shape", [(64, 32), (50, 100), (300, 20)])
def test_fit_keeps_the_shape_of_the_image(shape):
    image = np.full((*shape, 3), BLUE, np.uint8)
    box = pictures.fit(image, 160, 80)
    assert box.shape == (160, 80, 3)
    inside = (box == np.array(BLUE, np.uint8)).all(-1)
    rows, columns = inside.any(1).sum(), inside.any(0).sum()
    assert rows == 160 or columns == 80
    assert inside.sum() == rows * columns
    assert abs(rows / columns - shape[0] / shape[1]) < 0.08 * shape[0] / shape[1]


def test_encoded_pictures_decode_to_the_same_colours():
    image = np.full((40, 20, 3), BLUE, np.uint8)
    png = cv2.imdecode(np.frombuffer(pictures.png(image), np.uint8), cv2.IMREAD_COLOR_RGB)
    jpeg = cv2.imdecode(np.frombuffer(pictures.jpeg(image), np.uint8), cv2.IMREAD_COLOR_RGB)
    np.testing.assert_array_equal(png, image)
    assert np.abs(jpeg.astype(int) - image).max() < 12


def test_ranking_sheet_frames_right_green_wrong_red_query_grey():
    hits = [ranking.Hit(1, 1, 0.1, False), ranking.Hit(2, 2, 0.2, True), ranking.Hit(12, 3, 0.3, True)]
    sheet = sheets.rankings([ranking.Ranking("worst", 0, 0.2, 2, hits)], lambda image: _plain(50 * image + 7))
    (query,), (wrong,), right = (_framed(sheet, colour) for colour in (GREY, RED, GREEN))
    assert [box[0] for box in (query, wrong, *right)] == sorted(box[0] for box in (query, wrong, *right))
    for (x, y, width, height), value in zip((query, wrong, *right), (7, 57, 107, 157), strict=True):
        assert (width, height) == (sheets.CELL_W, sheets.CELL_H)
        assert (sheet[y + 4 : y + height - 4, x + 4 : x + width - 4] == value).all()
    assert right[1][0] - right[0][0] > right[0][0] - wrong[0]  # a gap before rank 12


def test_ranking_sheet_takes_the_first_of_each_kind():
    every = [ranking.Ranking(why, 0, 0.2, 1, [ranking.Hit(1, 1, 0.1, True)]) for why in ("best", "best", "worst")]
    sheet = sheets.rankings(every, lambda image: _plain(image), each=1)
    assert len(_framed(sheet, GREEN)) == 2


def test_attention_sheet_frames_by_visibility():
    visible = np.array([[True, False, True], [False, False, True]])
    label = [np.full((64, 32, 3), BLUE, np.uint8), None]
    looks = Looks(("foreground", "head", "feet"), np.array([4, 9]), np.zeros((2, 3, 4, 2)), visible, {"pifpaf": label})
    sheet = sheets.looks(looks, lambda image: _plain(9 * image))
    green, red, grey = (_framed(sheet, colour) for colour in (GREEN, RED, GREY))
    assert [len(boxes) for boxes in (green, red, grey)] == [3, 3, 4]
    columns = sorted({box[0] for box in green + red + grey})  # image, label, three parts
    rows = sorted({box[1] for box in grey})
    assert len(columns) == 5
    for row, y in enumerate(rows):
        found = [(x, y) in {box[:2] for box in green} for x in columns[2:]]
        assert found == visible[row].tolist()
    x, y = columns[1], rows[0]
    assert (sheet[y + 4 : y + 164, x + 4 : x + 84] == BLUE).all()


def test_attention_sheet_without_maps_shows_the_images():
    looks = Looks(("global",), np.array([4, 9]), np.zeros((2, 0, 1, 1)), np.ones((2, 1), bool))
    sheet = sheets.looks(looks, lambda image: _plain(9 * image))
    assert len(_framed(sheet, GREY)) == 2
    assert not _framed(sheet, GREEN)
