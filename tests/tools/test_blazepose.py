from pathlib import Path

import cv2
import numpy as np
import pytest

from partreid.body.skeleton import KEYPOINT_MIRROR, KEYPOINTS
from partreid.errors import UserError
from partreid.storage import image_table, pieces, published_weights
from partreid.storage.cache import Cache
from partreid.storage.files import sha256
from partreid.tools import TOOLS, blazepose, squares
from partreid.tools.base import Images
from partreid.tools.reading import read_original


@pytest.mark.parametrize("how", [blazepose.FIRST, *blazepose.FURTHER, *blazepose.WIDER])
def test_landmarks_and_mask_are_placed_in_the_original_image(monkeypatch, how):
    image = np.zeros((400, 200, 3), np.uint8)
    image[:, :100] = 255  # white in its left half

    def network(_model, square):
        _, (x, y, w, h) = squares.letterbox(image, how.fill, how.place)
        assert (square[y + h // 2, x] > 0.5).all() != how.mirrored
        share = 0.75 if how.mirrored else 0.25  # a quarter of the image from its left, three from the top
        landmarks = np.zeros((39, 5), np.float32)
        landmarks[:33, 3] = np.arange(33) / 33  # the visibility tells which landmark it is
        landmarks[:, 0], landmarks[:, 1], landmarks[:, 2] = x + share * w, y + 0.75 * h, 10
        logits = np.full((256, 256), -20, np.float32)
        logits[y : y + h // 2, x : x + w // 2 if how.mirrored else 256] = 20  # the upper (mirrored: left) part
        return landmarks.ravel(), 0.95, logits

    monkeypatch.setattr(blazepose, "_run", network)
    score, landmarks, person = blazepose.glance(image, Path(), how)
    assert score == 0.95
    np.testing.assert_allclose(landmarks[:, :2], np.broadcast_to([50, 300], (33, 2)), atol=1e-3)
    np.testing.assert_allclose(landmarks[:, 2], 10 * 400 / round(how.fill * 256), rtol=1e-5)
    order = list(blazepose.MIRROR) if how.mirrored else list(range(33))
    np.testing.assert_allclose(landmarks[:, 3], blazepose.sigmoid(np.array(order) / 33), rtol=1e-5)
    assert person.shape == (128, 64)
    assert (person[:62, 34:] > 0.99).all()
    assert (person[:62, :30] > 0.99).all() != how.mirrored
    assert (person[66:] < 0.01).all()


def scripted(monkeypatch, *scores):
    """Looks find these scores, one after the other; the landmarks hold the number of the look."""
    left = list(enumerate(scores))

    def look(_image, _model, _how):
        number, score = left.pop(0)
        return score, np.full((33, 5), number, np.float32), np.full((128, 64), number, np.float32)

    monkeypatch.setattr(blazepose, "glance", look)
    return left


@pytest.mark.parametrize(
    ("looks", "scores", "taken"),
    [
        (1, [0.95], (0.95, 0)),  # sure: one look is enough
        (1, [0.4, 0.8], (0.8, 1)),  # unsure: another placing
        (1, [0.6, 0.3, 0.5], (0.6, 0)),  # the best of all placings
        (3, [0.9, 0.8, 0.95], (0.9, 1)),  # all sure: the median
        (3, [0.9, 0.3, 0.8], (0.9, 0)),  # one is not: the best
        (3, [0.5, 0.75], (0.75, 1)),
    ],
)
def test_which_looks_are_taken(monkeypatch, looks, scores, taken):
    left = scripted(monkeypatch, *scores)
    score, landmarks, person = blazepose.detect(np.zeros((20, 10, 3), np.uint8), Path(), looks)
    assert (score, landmarks[0, 0]) == taken
    assert person[0, 0] == taken[1]
    assert not left


def test_landmarks_pair_left_with_right():
    pairs = [blazepose.MIRROR[k] for k in blazepose.MIRROR]
    assert pairs == list(range(33))  # an exchange: twice is nothing
    for k, name in enumerate(KEYPOINTS):
        assert blazepose.MIRROR[blazepose.COCO[k]] == blazepose.COCO[KEYPOINT_MIRROR[k]], name


def test_hips_move_towards_the_shoulders_and_nothing_else_moves():
    landmarks = np.random.default_rng(0).normal(size=(33, 5)).astype(np.float32)
    landmarks[[11, 12], 1], landmarks[[23, 24], 1] = 0, 100
    found = blazepose.coco(landmarks)
    np.testing.assert_allclose(found[11:13, 1], 95, rtol=1e-6)
    others = [k for k in range(17) if k not in (11, 12)]
    np.testing.assert_array_equal(found[others], landmarks[list(blazepose.COCO)][others][:, [0, 1, 3]])


def test_another_number_of_looks_is_refused():
    with pytest.raises(UserError, match="looks is 2, expected 1 or 3"):
        blazepose.build(None, looks=2)


def write_jpeg(path: Path, value: int = 120) -> bytes:
    image = np.full((40, 20, 3), value, np.uint8)
    data = cv2.imencode(".jpg", image)[1].tobytes()
    path.write_bytes(data)
    return data


def test_bad_images_are_failed_rows_and_nobody_is_a_missing_row(tmp_path, monkeypatch):
    data = write_jpeg(tmp_path / "good.jpg")
    write_jpeg(tmp_path / "nobody.jpg", value=0)
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "cut.jpg").write_bytes(data[: len(data) * 2 // 3])
    (tmp_path / "text.jpg").write_text("hello")

    def found(image, _model, _looks):
        return (0.9 if image.any() else 0.3), np.ones((33, 5), np.float32), np.full((128, 64), 0.5)

    monkeypatch.setattr(blazepose, "detect", found)
    paths = ["good.jpg", "empty.jpg", "cut.jpg", "text.jpg", "nobody.jpg"]
    result = blazepose.look(paths, tmp_path, Path(), 1, 0, 5)
    np.testing.assert_array_equal(result["status"], [0, 2, 2, 2, 1])
    np.testing.assert_allclose(result["score"], [0.9, 0, 0, 0, 0.3])
    for name in ("keypoints", "landmarks", "person"):
        assert result[name][0].any(), name
        assert not result[name][1:].any(), name
    assert result["person"].dtype == np.uint8


@pytest.mark.parametrize(
    "image", [np.zeros((9, 5), np.uint8), np.zeros((9, 5), np.uint16), np.zeros((9, 5, 4), np.uint8)]
)
def test_grey_sixteen_bit_and_transparent_images_are_read_as_rgb(image, tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), image)
    read = read_original(tmp_path / "a.png")
    assert read is not None
    assert read.shape == (9, 5, 3)
    assert read.dtype == np.uint8


@pytest.mark.network
def test_the_network_runs_on_any_image_and_one_image_costs_one_row(tmp_path, monkeypatch):
    published_weights.path("blazepose_full")
    monkeypatch.chdir(tmp_path)
    for number in range(3):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((50, 30, 3), 20 * number, np.uint8))
    row = {"split": "train", "pid": 1, "width": 30, "height": 50, "sha1": "0"}
    table = image_table.build([{**row, "path": f"{number}.png"} for number in range(3)], {})
    image_table.write(table, tmp_path / "t.parquet")
    file = tmp_path / "t.parquet"
    header, work = TOOLS["blazepose"].build(Images("some", table, sha256(file), tmp_path, file), looks=3)
    pieces.write(tmp_path / "out.npz", header, work, 3, processes=1)
    opened = Cache(tmp_path / "out.npz", "tool/blazepose", tmp_path / "t.parquet")
    assert opened.header["weights"] == published_weights.WEIGHTS["blazepose_full"].sha256
    assert opened.header["failed"] == 0
    assert opened.rows("score", np.arange(3)).max() < 0.5  # nobody in plain grey
    assert opened.rows("landmarks", np.arange(3)).shape == (3, 33, 5)
