import json
import sys

import cv2
import numpy as np
import pytest

from partreid.errors import UserError
from partreid.storage.files import sha256
from partreid.tools import alphapose, alphapose_run
from tools.importing import made

# What AlphaPose's scripts/demo_inference.py does with these arguments, as far as files go: one person in each box, the
# keypoints spread over it; nobody in black images.
SCRIPT = """
import argparse, json, os, pathlib, cv2
parser = argparse.ArgumentParser()
for name in ("cfg", "checkpoint", "detfile", "outdir"):
    parser.add_argument("--" + name, required=True)
parser.add_argument("--sp", action="store_true", required=True)
a = parser.parse_args()
log = pathlib.Path("log.txt")
log.write_text(log.read_text() + "started\\n" if log.exists() else "started\\n")
assert pathlib.Path(a.cfg).read_text() == "model" and pathlib.Path(a.checkpoint).read_text() == "weights"
assert pathlib.Path("scripts/demo_inference.py").is_file()
print("Loading pose model")
if os.environ.get("FAKE") == "stuck":
    print("CUDA out of memory\\nAn error as above occurs when processing the images, please check it")
    import time; time.sleep(60)
if os.environ.get("FAKE") == "fails":
    raise SystemExit("no GPU here")
if os.environ.get("FAKE") == "silent":
    raise SystemExit(0)
people = []
for box in json.load(open(a.detfile)):
    x, y, w, h = box["bbox"]
    image = cv2.imread(box["image_id"])
    assert image.shape[:2] == (h, w) and box["score"] == 1.0 and (x, y) == (0, 0)
    if image.any():
        points = [v for i in range(17) for v in (w * i / 17, h * i / 17, image[0, 0, 0] / 255)]
        name = os.path.basename(box["image_id"])
        people.append({"image_id": name, "category_id": 1, "keypoints": points, "score": 2.0, "box": box["bbox"]})
os.makedirs(a.outdir, exist_ok=True)
json.dump(people, open(os.path.join(a.outdir, "alphapose-results.json"), "w"))
"""


@pytest.fixture
def checkout(tmp_path):
    root = tmp_path / "AlphaPose"
    for name, text in (("scripts/demo_inference.py", SCRIPT), ("c/model.yaml", "model"), ("w/model.pth", "weights")):
        (root / name).parent.mkdir(parents=True)
        (root / name).write_text(text)
    return root


@pytest.fixture
def images(tmp_path, monkeypatch):
    """Two folders with images of the same names; the last one is black, one is damaged."""
    monkeypatch.chdir(tmp_path)  # unfinished work waits in ./tmp
    paths = [f"{folder}/{i}.jpg" for folder in ("train", "query") for i in range(3)]
    for row, path in enumerate(paths):
        (tmp_path / "data" / path).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(tmp_path / "data" / path), np.full((40, 20, 3), 0 if row == 5 else 250 - 50 * row, np.uint8))
    (tmp_path / "data" / "train/1.jpg").write_bytes(b"\xff\xd8 damaged")
    return made(paths, height=40, width=20, root="data")


def build(images, checkout, **other):
    options = {"checkout": str(checkout), "python": sys.executable, "config": "c/model.yaml"}
    return alphapose.build(images, results={}, **{**options, "checkpoint": "w/model.pth", **other})


def starts(checkout):
    log = checkout / "log.txt"
    return log.read_text().count("started") if log.exists() else 0


def test_alphapose_is_started_on_whole_images_and_every_image_gets_its_row(images, checkout, capfd):
    header, work = build(images, checkout)
    found = work(0, 6)
    assert found["status"].tolist() == [0, 2, 0, 0, 0, 1]
    np.testing.assert_allclose(found["keypoints"][[0, 2, 3, 4], 0, 2], np.array([250, 150, 100, 50]) / 255, atol=0.01)
    np.testing.assert_allclose(found["keypoints"][0, 16, :2], [20 * 16 / 17 + 0.5, 40 * 16 / 17 + 0.5], rtol=1e-5)
    np.testing.assert_allclose(found["score"][0], 2.0 / 3.25, rtol=1e-6)
    assert header["weights"] == sha256(checkout / "w/model.pth")
    assert "Loading pose model" in capfd.readouterr().err  # its words are shown


def test_finished_batches_are_not_done_again(images, checkout, monkeypatch):
    monkeypatch.setattr(alphapose_run, "BATCH", 2)
    alone = build(images, checkout)[1](0, 6)
    assert starts(checkout) == 3
    for first, again in zip(alone.values(), build(images, checkout)[1](0, 6).values(), strict=True):
        np.testing.assert_array_equal(first, again)
    assert starts(checkout) == 3
    monkeypatch.setattr(alphapose_run, "BATCH", 6)
    for first, again in zip(alone.values(), build(images, checkout)[1](0, 6).values(), strict=True):
        np.testing.assert_array_equal(first, again)
    assert starts(checkout) == 4


def test_a_run_that_failed_goes_on_where_it_was(images, checkout, monkeypatch):
    monkeypatch.setattr(alphapose_run, "BATCH", 3)
    build(images, checkout)
    done = sorted((checkout.parent / "tmp/alphapose").rglob("*.json"))
    assert [json.loads(file.read_text())["failed"] for file in done] == [[1], []]
    done[1].unlink()
    monkeypatch.setenv("FAKE", "fails")
    with pytest.raises(UserError, match="no GPU here"):
        build(images, checkout)
    monkeypatch.delenv("FAKE")
    build(images, checkout)
    assert starts(checkout) == 4


@pytest.mark.parametrize(
    ("fake", "message"),
    [("fails", r"status 1(.|\n)*no GPU here"), ("silent", "without results"), ("stuck", "failed(.|\n)*out of memory")],
)
def test_when_alphapose_fails_its_last_words_are_told(fake, message, images, checkout, monkeypatch):
    monkeypatch.setenv("FAKE", fake)
    with pytest.raises(UserError, match=message):
        build(images, checkout)


def test_what_is_missing_is_named_with_where_to_get_it(images, checkout):
    with pytest.raises(UserError, match=r"git clone https://github.com/MVIG-SJTU/AlphaPose(.|\n)*non-commercial"):
        build(images, checkout / "c")
    with pytest.raises(UserError, match=r"tools\.alphapose\.config"):
        build(images, checkout, config="c/other.yaml")
    with pytest.raises(UserError, match=r"fast_res50_256x192\.pth(.|\n)*non-commercial"):
        build(images, checkout, checkpoint="w/other.pth")
    with pytest.raises(UserError, match=r"tools\.alphapose\.python is 'no-such-python'"):
        build(images, checkout, python="no-such-python")
    assert starts(checkout) == 0


def test_results_that_are_named_are_read_and_alphapose_is_not_started(images, checkout, tmp_path):
    (tmp_path / "r.json").write_text(json.dumps([{"image_id": "train/0.jpg", "keypoints": [1] * 51, "score": 1}]))
    options = {"checkout": str(checkout), "python": "x", "config": "x", "checkpoint": "x"}
    _, work = alphapose.build(images, results={"market": "r.json"}, **options)
    assert work(0, 1)["status"].tolist() == [0]
    assert starts(checkout) == 0
