"""stages/consensus.py on made-up people."""

import json
import runpy
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from partreid.storage import chunks, published_weights
from partreid.tools import body_parts, consensus, evidence, movenet
from partreid.tools.body_parts import Parts
from partreid.tools.evidence import Evidence

STAGE = Path(__file__).parents[2] / "stages/consensus.py"
N = 40


def said(own):
    blank = np.zeros((128, 64, 3), np.uint8)
    return Evidence(blank, own.copy(), own, np.zeros_like(own), blank[..., 0].astype(np.float32), ())


def parts(one):
    """Our own network, which sees no more than the others; a head as high as the nose is clear."""
    classes = np.full((128, 64, 7), 1 / 7, np.float32)
    rows = round(40 * float(one.own[..., 0].max()))
    classes[10 : 10 + rows, 20:40] = np.eye(7)[1]
    return Parts(classes, one.own)


@pytest.fixture
def rendered(tmp_path, monkeypatch):
    """A folder of images whose brightness says what is seen, and networks that see brightness."""
    rng = np.random.default_rng(0)
    seen = rng.random((N, 17)) < 0.5
    keypoints = np.zeros((N, 17, 3), np.float32)
    keypoints[..., 2] = seen
    head = np.where(seen[:, :1], np.array([[1, 1, 9, 9]]), np.nan).astype(np.float32)
    paths = [f"{i:02d}.png" for i in range(N)]
    for i, path in enumerate(paths):
        cv2.imwrite(str(tmp_path / path), np.full((64, 32, 3), 4 * i, np.uint8))
    chunks.write(tmp_path / "truth.npz", {}, [{"path": np.array(paths), "keypoints": keypoints, "head": head}])

    def gather(image, _networks):
        own = np.zeros((*evidence.GRID, 17), np.float32)
        right = rng.random(17) < 0.9
        shown = np.where(right, seen[round(float(image.mean()) / 4)], ~seen[round(float(image.mean()) / 4)])
        own[30, 15] = np.where(shown, 0.8, 0.1)
        return said(own)

    monkeypatch.setattr(evidence, "gather", gather)
    monkeypatch.setattr(body_parts, "run", parts)
    monkeypatch.setattr(movenet, "files", lambda: (Path(), Path()))
    monkeypatch.setattr(published_weights, "path", lambda _name: Path())
    return tmp_path, seen


def test_what_is_fitted_says_how_often_a_joint_is_seen(rendered, monkeypatch):
    folder, _ = rendered
    monkeypatch.setattr(sys, "argv", ["stages/consensus.py", str(folder), "--out", str(folder / "fit.json")])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(STAGE), run_name="__main__")
    assert ended.value.code == 0
    fitted = json.loads((folder / "fit.json").read_text())
    assert set(fitted["seen"]) == set(consensus.fitted()["seen"])
    assert fitted.keys() == consensus.fitted().keys()
    monkeypatch.setattr(consensus, "fitted", lambda: fitted)

    def probability(strength):
        own = np.zeros((*evidence.GRID, 17), np.float32)
        own[30, 15] = strength
        one = said(own)
        return consensus.judge(one, parts(one), (64, 32), fitted["seen"])[5:, 2].mean()

    assert probability(0.8) == pytest.approx(0.9, abs=0.12)
    assert probability(0.1) == pytest.approx(0.1, abs=0.12)


def test_people_who_all_show_a_head_are_an_error_before_any_network_looks(rendered, monkeypatch, capsys):
    folder, _ = rendered
    head = np.ones((N, 4), np.float32)
    paths = np.array([f"{i:02d}.png" for i in range(N)])
    chunks.write(folder / "truth.npz", {}, [{"path": paths, "keypoints": np.zeros((N, 17, 3)), "head": head}])
    monkeypatch.setattr(evidence, "gather", None)
    monkeypatch.setattr(sys, "argv", ["stages/consensus.py", str(folder), "--out", str(folder / "fit.json")])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(STAGE), run_name="__main__")
    assert ended.value.code
    said = f"{ended.value.code}{capsys.readouterr().err}"
    assert f"{N} images, 0 without a head; expected some with and some without" in said
    assert not (folder / "fit.json").exists()


def test_an_image_that_is_worsened_keeps_its_shape_and_content():
    worsen = runpy.run_path(str(STAGE), run_name="consensus")["worsen"]
    image = np.zeros((256, 128, 3), np.uint8)
    image[:128] = (200, 100, 50)
    sizes = set()
    for seed in range(20):
        worse = worsen(image, np.random.default_rng(seed))
        height, width = worse.shape[:2]
        assert height == 2 * width
        sizes.add(height)
        np.testing.assert_allclose(worse[height // 4, width // 2], (200, 100, 50), atol=12)
        assert worse[3 * height // 4].max() < 15
    assert sizes == {96, 128, 160, 256}
