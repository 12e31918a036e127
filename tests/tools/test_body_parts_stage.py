"""stages/body_parts.py on made-up pictures."""

import runpy
from pathlib import Path

import cv2
import numpy as np
import pytest
from safetensors.numpy import load_file

from partreid.errors import UserError
from partreid.storage import chunks
from partreid.tools import body_parts, body_parts_fit, evidence
from tools.made_up import said

STAGE = Path(__file__).parents[2] / "stages/body_parts.py"


@pytest.fixture
def stage():
    return runpy.run_path(str(STAGE), run_name="stage")


@pytest.fixture
def rendered(tmp_path, monkeypatch):
    """Three pictures of somebody, one of them partly hidden; two networks that say anything."""
    parsing = np.zeros((3, 128, 64), np.uint8)
    parsing[:, 20:120, 20:44] = 2
    keypoints = np.zeros((3, 17, 3), np.float32)
    keypoints[:, 5] = 64, 100, 1
    paths = [f"{number}.png" for number in range(3)]
    for number, path in enumerate(paths):
        cv2.imwrite(str(tmp_path / path), np.full((256, 128, 3), 60 * number, np.uint8))
    truth = {
        "path": np.array(paths),
        "parsing": parsing,
        "person": np.where(parsing > 0, 255, 0).astype(np.uint8),
        "keypoints": keypoints,
        "visible": np.array([1, 0.5, 0.9], np.float32),
    }
    chunks.write(tmp_path / "truth.npz", {}, [truth])
    monkeypatch.setattr(evidence, "gather", lambda _image, _networks: said())
    return tmp_path


def test_every_picture_is_shown_and_the_partly_hidden_twice(stage, rendered):
    assert stage["pieces"](rendered) == [[0, 1, 2, 1]]


def test_pieces_are_no_larger_than_a_piece(stage, rendered):
    stage["pieces"].__globals__["PIECE"] = 3
    assert stage["pieces"](rendered) == [[0, 1, 2], [1]]


def test_others_come_from_all_folders(stage, rendered):
    stage["company"].__wrapped__.__globals__["OTHERS"] = 4
    assert len(stage["company"]((rendered, rendered))) == 4
    assert len(stage["company"]((rendered,))) == 3  # as many as there are


def test_what_was_seen_is_kept_and_trained_on(stage, rendered, monkeypatch):
    networks = evidence.Networks(Path(), Path(), Path())
    files = [rendered / "work0.npz", rendered / "work1.npz"]
    stage["look"]((rendered,), networks, 0, rendered, [0, 1], files[0])
    stage["look"]((rendered,), networks, 2, rendered, [1], files[1])
    kept = np.load(files[0], allow_pickle=False)
    assert {name: kept[name].shape[1:] for name in body_parts.INPUTS} == {
        name: shape[1:] for name, shape in body_parts.INPUTS.items()
    }
    assert kept["parsing"].shape == (2, 128, 64)
    every = stage["gathered"](files)
    for name, values in every.items():
        np.testing.assert_array_equal(values, np.concatenate([np.load(file)[name] for file in files]))
    monkeypatch.setattr(body_parts_fit, "BATCH", 2)
    monkeypatch.setattr(body_parts_fit, "KEPT", 1)
    monkeypatch.setattr(body_parts_fit, "EARLY", 1)
    out, late = rendered / "weights.safetensors", []
    monkeypatch.setattr(body_parts_fit, "averaged", lambda early, end: late.append(end) or early)
    stage["train"](files, [2], out, rendered)
    assert not (rendered / "training.pt").exists()
    made = load_file(out)
    assert any((made[name] != values).any() for name, values in late[0].items())
    assert {name: values.shape for name, values in made.items()} == {
        name: values.shape for name, values in load_file(body_parts.WEIGHTS).items()
    }
    assert all(np.isfinite(values).all() for values in made.values())


def test_a_picture_s_number_decides_its_scene(stage, rendered):
    networks = evidence.Networks(Path(), Path(), Path())
    for file, first in (("a.npz", 0), ("b.npz", 0), ("c.npz", 5)):
        stage["look"]((rendered,), networks, first, rendered, [0], rendered / file)
    one, same, other = (np.load(rendered / file)["keypoints"] for file in ("a.npz", "b.npz", "c.npz"))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


def test_a_picture_that_is_gone_is_named(stage, rendered):
    (rendered / "1.png").unlink()
    with pytest.raises(UserError, match=r"cannot read .*1\.png"):
        stage["shown"](rendered, [1])


def test_too_few_steps_are_one_message(stage, tmp_path):
    with pytest.raises(UserError, match="--steps: 30 steps in all, expected at least"):
        stage["train"]([], [10, 20], tmp_path / "weights.safetensors", tmp_path)


def test_early_weights_that_are_gone_are_one_message(stage, tmp_path, monkeypatch):
    monkeypatch.setattr(body_parts_fit, "truth", lambda *_given: {})
    monkeypatch.setattr(body_parts_fit, "train", lambda *_given: None)
    names = (*body_parts.INPUTS, "parsing", "keypoints", "size")
    stage["train"].__globals__["gathered"] = lambda _files: dict.fromkeys(names, np.zeros(1))
    with pytest.raises(UserError, match=r"early\.safetensors is gone; delete .*training\.pt, too, and run again"):
        stage["train"]([], [5000], tmp_path / "weights.safetensors", tmp_path)
