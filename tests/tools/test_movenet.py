from pathlib import Path

import cv2
import numpy as np
import pytest

from partreid.storage import published_weights
from partreid.tools import movenet, squares


def maps(rng, centre=None):
    shape = (movenet.CELLS, movenet.CELLS)
    found = movenet.Maps(
        rng.random((*shape, 17), np.float32),
        rng.random(shape, np.float32),
        rng.normal(0, 8, (*shape, 17, 2)).astype(np.float32),
        rng.random((*shape, 17, 2), np.float32),
    )
    if centre is not None:
        found.centre[:] = 0
        for place, value in centre.items():
            found.centre[place] = value
    return found


def slow_decode(found: movenet.Maps) -> np.ndarray:
    """The published graph's steps, cell by cell."""
    best, place = -1.0, (0, 0)
    for i in range(64):
        for j in range(64):
            value = found.centre[i, j] / (np.sqrt((i - 32) ** 2 + (j - 32) ** 2) + 1.8)
            if value > best:
                best, place = value, (i, j)
    result = np.zeros((17, 3))
    for k in range(17):
        y, x = place + found.reach[place][k]
        best, cell = -1.0, (0, 0)
        for i in range(64):
            for j in range(64):
                value = found.joints[i, j, k] / (np.sqrt((i - y) ** 2 + (j - x) ** 2) + 1.8)
                if value > best:
                    best, cell = value, (i, j)
        dy, dx = found.offset[cell][k]
        result[k] = 4 * (cell[1] + dx), 4 * (cell[0] + dy), found.joints[cell][k]
    return result


def test_decoding_is_that_of_the_published_graph():
    found = maps(np.random.default_rng(0))
    np.testing.assert_allclose(movenet.decode(found), slow_decode(found), atol=1e-4)


def test_the_person_nearest_the_middle_is_taken():
    found = maps(np.random.default_rng(0), {(30, 34): 0.5, (10, 5): 1.0})
    found.joints[:] = 1
    found.reach[:] = 0
    keypoints = movenet.decode(found)
    np.testing.assert_allclose(keypoints[:, :2] / 4 - 34, [[0, -4]] * 17 + found.offset[30, 34][:, ::-1], atol=1e-4)


def test_keypoints_are_placed_in_the_original_image(tmp_path, monkeypatch):
    cv2.imwrite(str(tmp_path / "good.png"), np.full((400, 200, 3), 255, np.uint8))
    cv2.imwrite(str(tmp_path / "nobody.png"), np.zeros((400, 200, 3), np.uint8))
    (tmp_path / "broken.png").write_bytes(b"hello")

    def run(_graph, _constants, square):
        _, (x, y, w, h) = squares.letterbox(np.zeros((400, 200, 3), np.uint8), movenet.FILL, 0.5)
        found = maps(np.random.default_rng(0))
        found.joints[:] = 0.9 if square.max() else 0.1
        found.offset[:] = np.array([y + 0.75 * h, x + 0.25 * w]) / 4
        found.offset[:] -= np.indices((64, 64)).transpose(1, 2, 0)[:, :, None]
        return found

    monkeypatch.setattr(movenet, "run", run)
    result = movenet.look(["good.png", "broken.png", "nobody.png"], tmp_path, Path(), Path(), 0, 3)
    np.testing.assert_array_equal(result["status"], [0, 2, 1])
    np.testing.assert_allclose(result["score"], [0.9, 0, 0.1], rtol=1e-6)
    np.testing.assert_allclose(result["keypoints"][0], [[50, 300, 0.9]] * 17, rtol=1e-4)
    assert not result["keypoints"][1:].any()


def figure() -> np.ndarray:
    """A body of boxes, in a square."""
    square = np.full((256, 256, 3), (90, 120, 150), np.uint8)
    for x0, y0, x1, y1, colour in (
        (112, 24, 144, 60, (220, 170, 140)),
        (100, 60, 156, 140, (180, 30, 40)),
        (84, 64, 100, 136, (200, 150, 120)),
        (156, 64, 172, 136, (200, 150, 120)),
        (102, 140, 126, 230, (40, 40, 90)),
        (130, 140, 154, 230, (40, 40, 90)),
    ):
        square[y0:y1, x0:x1] = colour
    return square


@pytest.mark.network
def test_the_network_gives_what_its_own_runtime_gives():
    published_weights.path("movenet_thunder")
    keypoints = movenet.decode(movenet.run(*movenet.files(), figure()))
    # @tensorflow/tfjs-converter 4.22 with its CPU backend, on the same square: y, x and score of some joints
    theirs = {
        0: (0.177383, 0.531162, 0.004354),
        5: (0.197693, 0.609404, 0.006668),
        6: (0.203673, 0.477032, 0.064793),
        11: (0.498435, 0.536285, 0.077506),
        12: (0.495291, 0.452399, 0.077249),
        15: (0.962656, 0.601845, 0.043013),
        16: (0.983263, 0.447142, 0.146058),
    }
    for joint, (y, x, score) in theirs.items():
        np.testing.assert_allclose(keypoints[joint], [256 * x, 256 * y, score], atol=1e-3)
