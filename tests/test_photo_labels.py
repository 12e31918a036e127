"""Labels of photos in a test: the library and the search make the same, each of what it knows of the training."""

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest

from partreid import params
from partreid.api.labels import labels
from partreid.datasets.images import measure
from partreid.errors import UserError
from partreid.inputs.kinds import MEMBERS
from partreid.labels import LABELS
from partreid.photo_labels import OF_A_SET
from partreid.search import labels as of_search
from partreid.storage import cache
from partreid.storage.pieces import Program
from partreid.tools import TOOLS
from partreid.tools.base import Tool

PROJECT = Path(__file__).parents[1]
# x and y of the 17 keypoints of somebody upright, in shares of the image
PERSON = np.array(
    [
        (50, 12), (53, 11), (47, 11), (58, 12), (42, 12), (66, 23), (34, 23), (72, 37), (28, 37), (73, 50), (27, 50),
        (59, 50), (41, 50), (61, 70), (39, 70), (62, 91), (38, 91),
    ],
    np.float32,
) / 100  # fmt: skip


def joints(images, *, score):
    """A tool that sees the same person in every photo but number 1, where it sees nobody."""
    header = cache.header("tool/joints", "joints", "1", None, {"score": score}, images.sha256)

    def work(start, stop):
        rows = np.arange(start, stop)
        found = np.concatenate([PERSON[None] * images.sizes()[rows, None, ::-1], np.full((len(rows), 17, 1), score)], 2)
        status = np.where(rows == 1, cache.MISSING, cache.OK).astype(np.uint8)
        found[rows == 1] = 0
        return {"status": status, "score": np.full(len(rows), score, np.float32), "keypoints": found.astype(np.float32)}

    return header, work


def masks(images, *, width):
    """A tool that gives a person mask `width` cells wide."""
    header = cache.header("tool/masks", "masks", "1", None, {"width": width}, images.sha256)

    def work(start, stop):
        person = np.zeros((stop - start, 128, 64), np.uint8)
        person[:, 4:124, 32 - width // 2 : 32 + width // 2] = 255
        status = np.zeros(stop - start, np.uint8)
        return {"status": status, "score": np.ones(stop - start, np.float32), "person": person}

    return header, work


VALUES = {"joints": {"score": 0.9}, "masks": {"width": 40}}


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """Three photo files in an empty folder, which is the current one; and the two tools."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.setitem(TOOLS, "joints", Tool(joints, ("keypoints",)))
    monkeypatch.setitem(TOOLS, "masks", Tool(masks, ("person",), processes=1))
    for number, (height, width) in enumerate([(128, 64), (90, 40), (200, 110)]):
        cv2.imwrite(f"{number}.png", np.full((height, width, 3), 60 * number, np.uint8))
    return ["0.png", "1.png", "2.png"]


@pytest.fixture
def settings():
    """The project's params.yaml, whose schp labels are of the two tools."""
    p = params.load(PROJECT / "params.yaml")
    block = p.labels["schp"]
    block = dataclasses.replace(block, tool="joints", options={**block.options, "person": "masks"})
    return dataclasses.replace(p, labels={**p.labels, "schp": block}, tools={**p.tools, **VALUES})


def noted(p):
    """What a training would have noted of these labels in the weights' header (stages/train.py)."""
    options = {name: value for name, value in p.labels["schp"].options.items() if name != "person"}
    person = {"tool": "masks", "tool_version": "1", "weights": None, "parameters": VALUES["masks"]}
    tool = {"tool": "joints", "tool_version": "1", "tool_parameters": VALUES["joints"]}
    return {**tool, "parameters": options, "person": person}


def test_the_library_and_the_search_make_the_same_of_the_same_photos(photos, settings):
    rows, _ = measure(Path(), [{"path": path} for path in photos])
    searched = of_search.made(["schp"], rows, settings)["schp"]
    kept = sorted(path.name for path in Path("tmp/search").rglob("*.npz"))
    assert [name.partition("-")[0] for name in kept] == ["joints", "masks"]
    before = set(Path().rglob("*"))
    arrays = [cv2.imread(path, cv2.IMREAD_COLOR_RGB) for path in photos]
    embedded = labels(["schp"], arrays, {}, {"schp": noted(settings)})["schp"]
    assert set(Path().rglob("*")) == before, "the library leaves nothing in the folder where it is used"
    assert searched.known.tolist() == embedded.known.tolist() == [True, False, True]
    for name in MEMBERS["schp"]:
        assert np.array_equal(searched.values[name], embedded.values[name])
    assert len(np.unique(searched.values["parsing"])) == 7
    assert searched.values["person"][0].any()
    assert not searched.values["person"][1].any()


def test_a_search_looks_at_photos_once(photos, settings, monkeypatch):
    rows, _ = measure(Path(), [{"path": path} for path in photos])
    first = of_search.made(["schp"], rows, settings)["schp"]

    def never(images, **values):
        header, _ = joints(images, **values)
        return header, lambda _start, _stop: pytest.fail("the tool looked again at photos that it had seen")

    monkeypatch.setitem(TOOLS, "joints", Tool(never, ("keypoints",)))
    again = of_search.made(["schp"], rows, settings)["schp"]
    assert np.array_equal(first.values["parsing"], again.values["parsing"])


def test_what_the_library_cannot_make_is_said(photos, settings, monkeypatch):
    arrays = [cv2.imread(path, cv2.IMREAD_COLOR_RGB) for path in photos]
    how = noted(settings)
    older = {name: value for name, value in how.items() if name != "person"}
    for tools, words in (({**how, "person": None}, None), (older, None), ({**how, "tool": "nose"}, "unknown tool")):
        with pytest.raises(UserError, match=words or "do not say which tool gave their person; give labels="):
            labels(["schp"], arrays, {}, {"schp": tools})
    with pytest.raises(UserError, match="needs poses labels, which are made of a whole data set; give labels="):
        labels(["poses"], arrays, {}, {"poses": how})
    monkeypatch.setitem(
        TOOLS, "joints", Tool(lambda images, **v: (joints(images, **v)[0], Program(("x",))), ("keypoints",))
    )
    with pytest.raises(UserError, match="needs schp labels of joints, a program of its own; give labels="):
        labels(["schp"], arrays, {}, {"schp": how})


def test_labels_of_a_set_are_labels():
    assert set(OF_A_SET) < set(LABELS)
