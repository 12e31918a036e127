from pathlib import Path

import cv2
import numpy as np
import pytest

from partreid.datasets import synthetic
from partreid.storage import published_weights
from partreid.synthetic import render
from partreid.tools import multipose


def slow_decode(centre, size, offset):
    found = []
    for i in range(centre.shape[0]):
        for j in range(centre.shape[1]):
            around = centre[max(i - 2, 0) : i + 3, max(j - 2, 0) : j + 3]
            if centre[i, j] >= multipose.MIN_SCORE and centre[i, j] == around.max():
                y, x = i + offset[i, j, 0], j + offset[i, j, 1]
                h, w = (max(float(side), 0) for side in size[i, j])
                found.append((centre[i, j], 4 * (x - w / 2), 4 * (y - h / 2), 4 * (x + w / 2), 4 * (y + h / 2)))
    return sorted(found, key=lambda each: -each[0])


def test_decoding_is_that_of_the_slow_loop():
    rng = np.random.default_rng(0)
    centre = rng.random((20, 30)).astype(np.float32)
    size, offset = rng.normal(3, 4, (20, 30, 2)).astype(np.float32), rng.random((20, 30, 2)).astype(np.float32)
    boxes, scores = multipose.decode(centre, size, offset)
    expected = np.array(slow_decode(centre, size, offset))
    assert len(expected) > 5
    np.testing.assert_allclose(scores, expected[:, 0])
    np.testing.assert_allclose(boxes, expected[:, 1:], atol=1e-4)


def test_no_person_is_no_box():
    boxes, scores = multipose.decode(np.zeros((5, 6), np.float32), np.ones((5, 6, 2)), np.ones((5, 6, 2)))
    assert (boxes.shape, scores.shape) == ((0, 4), (0,))
    boxes, scores = multipose.apart(boxes, scores)
    assert (boxes.shape, scores.shape) == ((0, 4), (0,))


def test_two_looks_at_one_person_are_one_box():
    boxes = np.array([[0, 0, 10, 20], [1, 0, 11, 20], [5, 0, 15, 20], [50, 50, 60, 60], [70, 70, 70, 90]], np.float32)
    kept, scores = multipose.apart(boxes, np.array([0.9, 0.8, 0.7, 0.6, 0.5]))
    assert kept.tolist() == boxes[[0, 2, 3]].tolist()
    assert scores.tolist() == [0.9, 0.7, 0.6]
    assert multipose.shared(boxes[0], boxes[2]) == pytest.approx(1 / 3)
    assert multipose.shared(boxes[0], boxes[3]) == 0


def test_a_piece_of_a_body_is_nobody_but_a_child_before_an_adult_is_somebody():
    adult, piece, child, beside = [0, 0, 40, 100], [10, 20, 30, 40], [5, 50, 30, 100], [30, 20, 50, 40]
    boxes = np.array([adult, piece, child, beside], np.float32)
    kept, _ = multipose.apart(boxes, np.array([0.9, 0.8, 0.7, 0.6]))
    assert kept.tolist() == [adult, child, beside]
    kept, _ = multipose.apart(boxes[[1, 0]], np.array([0.9, 0.8]))  # what is seen best stays
    assert kept.tolist() == [piece, adult]


@pytest.mark.parametrize(("height", "width"), [(300, 700), (701, 90), (1, 1), (64, 64)])
def test_boxes_are_placed_in_the_photo_and_stay_inside_it(monkeypatch, height, width):
    shapes = []

    class Seen:
        def run(self, values):
            shapes.append(values.shape[1:3])
            n, m = (side // 4 for side in values.shape[1:3])
            centre, size = np.zeros((1, n, m, 1), np.float32), np.zeros((1, n, m, 2), np.float32)
            scale = max(values.shape[1:3]) / max(height, width)
            i, j = int(0.25 * height * scale / 4), int(0.75 * width * scale / 4)
            centre[0, i, j], size[0, i, j] = 0.9, (0.4 * height * scale / 4, 2 * width * scale / 4)
            return centre, size, np.zeros((1, n, m, 2), np.float32)

    monkeypatch.setattr(multipose, "_network", lambda *_: (Seen(), 1, 0))
    boxes, scores = multipose.find(Path(), Path(), np.zeros((height, width, 3), np.uint8))
    assert [max(shape) for shape in shapes] == list(multipose.SIDES)
    assert all(side % multipose.GRID == 0 for shape in shapes for side in shape)
    assert (boxes[:, :2] >= 0).all()
    assert (boxes[:, 2:] <= [width, height]).all()
    assert boxes.dtype == np.float32
    if min(height, width) > 50:
        assert scores.tolist() == pytest.approx([0.9])
        np.testing.assert_allclose(boxes[0, [0, 2]], [0, width])
        np.testing.assert_allclose(boxes[0, [1, 3]], [0.05 * height, 0.45 * height], atol=0.03 * max(height, width))


@pytest.mark.network
def test_rendered_people_side_by_side_are_each_found_once(tmp_path):
    published_weights.path("movenet_multipose")
    render.render(tmp_path, seed=3, train_identities=0, test_identities=4, images=6, height=256, width=128, processes=1)
    table = synthetic.read(tmp_path).to_pylist()
    clear = {row["pid"]: row["path"] for row in reversed(table) if not (row["occluded"] or row["misaligned"])}
    assert len(clear) == 4
    photo = np.full((400, 800, 3), 120, np.uint8)
    for number, path in enumerate(clear.values()):
        photo[70:326, 30 + 200 * number : 158 + 200 * number] = cv2.imread(str(tmp_path / path))[..., ::-1]
    boxes, scores = multipose.find(*multipose.files(), photo)
    middle = (boxes[:, 0] + boxes[:, 2]) / 2
    assert sorted((middle // 200).astype(int).tolist()) == [0, 1, 2, 3]
    assert (np.diff(scores) <= 0).all()
    assert ((boxes[:, 3] - boxes[:, 1]) > 150).all()  # of 256, whole bodies
    assert ((boxes[:, 1] > 50) & (boxes[:, 3] < 350)).all()
