from pathlib import Path

import cv2
import numpy as np
import pytest

from partreid import records, weights
from partreid.files import sha256
from partreid.labels import pieces
from partreid.labels.cache import Cache
from partreid.skeleton import KEYPOINT_MIRROR, KEYPOINTS
from partreid.tools import TOOLS, blazepose
from partreid.tools.base import Images
from partreid.tools.reading import read_original


@pytest.mark.parametrize("size", [(128, 64), (300, 500), (1, 1), (1000, 20)])
def test_letterbox_keeps_the_aspect_and_stays_inside(size):
    image = np.full((*size, 3), 255, np.uint8)
    square, (x, y, w, h) = blazepose.letterbox(image, 0.7, 0.15)
    assert square.shape == (256, 256, 3)
    assert max(h, w) == round(0.7 * 256)
    assert w / h == pytest.approx(size[1] / size[0], rel=1 / min(w, h))
    white = square.min(2) > 0.5
    assert white[y : y + h, x : x + w].all()
    assert white.sum() == h * w


def test_landmarks_and_mask_are_placed_in_the_original_image(monkeypatch):
    image = np.zeros((400, 200, 3), np.uint8)

    def network(_model, _square):
        _, (x, y, w, h) = blazepose.letterbox(image, *blazepose.ATTEMPTS[0])
        landmarks = np.zeros((39, 5), np.float32)
        landmarks[:, 0], landmarks[:, 1] = x + 0.25 * w, y + 0.75 * h  # a quarter from the left, three from the top
        landmarks[:, 2] = 10
        logits = np.full((256, 256), -20, np.float32)
        logits[y : y + h // 2] = 20  # the image's upper half
        return landmarks.ravel(), 0.95, logits

    monkeypatch.setattr(blazepose, "_run", network)
    score, landmarks, person = blazepose.detect(image, Path())
    assert score == 0.95
    np.testing.assert_allclose(landmarks[:, :2], np.broadcast_to([50, 300], (33, 2)), atol=1e-3)
    np.testing.assert_allclose(landmarks[:, 2], 10 * 400 / round(0.7 * 256), rtol=1e-5)
    np.testing.assert_allclose(landmarks[:, 3:], 0.5)
    assert person.shape == (128, 64)
    assert (person[:62] > 0.99).all()
    assert (person[66:] < 0.01).all()


def test_an_unsure_image_is_tried_again_and_the_better_attempt_kept(monkeypatch):
    scores = iter([0.4, 0.8])

    def network(_model, _square):
        score = next(scores)
        return np.full(195, score, np.float32), score, np.zeros((256, 256), np.float32)

    monkeypatch.setattr(blazepose, "_run", network)
    assert blazepose.detect(np.zeros((20, 10, 3), np.uint8), Path())[0] == 0.8
    scores = iter([0.8, 0.4])
    assert blazepose.detect(np.zeros((20, 10, 3), np.uint8), Path())[0] == 0.8
    scores = iter([0.95])  # sure: no second attempt
    assert blazepose.detect(np.zeros((20, 10, 3), np.uint8), Path())[0] == 0.95


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

    def found(image, _model):
        return (0.9 if image.any() else 0.3), np.ones((33, 5), np.float32), np.full((128, 64), 0.5)

    monkeypatch.setattr(blazepose, "detect", found)
    paths = ["good.jpg", "empty.jpg", "cut.jpg", "text.jpg", "absent.jpg", "nobody.jpg"]
    result = blazepose.look(paths, tmp_path, Path(), 0, 6)
    np.testing.assert_array_equal(result["status"], [0, 2, 2, 2, 2, 1])
    np.testing.assert_allclose(result["score"], [0.9, 0, 0, 0, 0, 0.3])
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


def test_landmarks_of_coco_keypoints_pair_left_with_right():
    # BlazePose numbers left and right alternately, left odd from the shoulders on
    for k, name in enumerate(KEYPOINTS):
        other = blazepose.COCO[KEYPOINT_MIRROR[k]]
        if name.startswith("left") and "eye" not in name:
            assert other == blazepose.COCO[k] + 1


@pytest.mark.network
def test_the_network_runs_on_any_image_and_one_image_costs_one_row(tmp_path, monkeypatch):
    weights.path("blazepose_full")
    monkeypatch.chdir(tmp_path)
    for number in range(3):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((50, 30, 3), 20 * number, np.uint8))
    row = {"split": "train", "pid": 1, "width": 30, "height": 50, "sha1": "0"}
    table = records.build([{**row, "path": f"{number}.png"} for number in range(3)], {})
    records.write(table, tmp_path / "t.parquet")
    file = tmp_path / "t.parquet"
    header, work = TOOLS["blazepose"].build(Images("some", table, sha256(file), tmp_path, file))
    pieces.write(tmp_path / "out.npz", header, work, 3, processes=1)
    opened = Cache(tmp_path / "out.npz", "tool/blazepose", tmp_path / "t.parquet")
    assert opened.header["weights"] == weights.WEIGHTS["blazepose_full"].sha256
    assert opened.header["failed"] == 0
    assert opened.rows("score", np.arange(3)).max() < 0.5  # nobody in plain grey
    assert opened.rows("landmarks", np.arange(3)).shape == (3, 33, 5)
