"""Boxes in a frame: what is cut out of it, and the people of a video's frame, few or none."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

import partreid
import small_networks
from partreid import methods
from partreid.api.boxes import cut_out
from partreid.errors import UserError

RANDOM = np.random.default_rng(0)
FRAME = RANDOM.integers(0, 256, (60, 90, 3), dtype=np.uint8)
BOXES = [[3, 4, 20, 50], [-5.5, 10.2, 12.1, 70], [88.5, 58.5, 200, 200], [0, 0, 90, 60]]


def loaded(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> partreid.Model:
    small_networks.register(monkeypatch)
    of = small_networks.trained(name)
    methods.save(folder / f"{name}.safetensors", of.method, of.header)
    return partreid.load(folder / f"{name}.safetensors", device="cpu")


def test_every_pixel_that_a_box_touches_is_cut_out():
    for given in (BOXES, np.array(BOXES), np.array(BOXES, np.float32), torch.tensor(BOXES)):
        first, second, corner, whole = cut_out(FRAME, given)
        assert np.array_equal(first, FRAME[4:50, 3:20])
        assert np.array_equal(second, FRAME[10:60, 0:13])
        assert np.array_equal(corner, FRAME[58:, 88:])
        assert np.array_equal(whole, FRAME)
    assert [each.shape for each in cut_out(FRAME, [[4, 4, 5, 5], [4.2, 4.2, 4.3, 4.3]])] == [(1, 1, 3)] * 2
    for nobody in ([], np.zeros((0, 4)), np.zeros((0, 6)), torch.zeros(0, 4)):
        assert cut_out(FRAME, nobody) == []


@pytest.mark.parametrize(
    ("boxes", "message"),
    [
        ([3, 4, 20, 50], r"boxes are numbers \(N, 4\): x0, y0, x1, y1 in pixels; found int64 \(4,\)"),
        (np.zeros((2, 6)), r"found float64 \(2, 6\); where scores and classes .* give boxes\[:, :4\]"),
        ([["a", "b", "c", "d"]], r"found <U1 \(1, 4\)"),
        ([[1, 2, 3, 4], [1, 2, 3]], "boxes: a list that is no array"),
        ([[1, 2, 3, 4], [95, 2, 99, 4]], r"box 1, \(95, 2, 99, 4\), holds no pixel of the frame of 90 x 60"),
        ([[1, 2, 3, 4], [-9, 2, 0, 4]], r"box 1, \(-9, 2, 0, 4\), holds no pixel"),
        ([[1, -9, 3, -1]], r"box 0, \(1, -9, 3, -1\), holds no pixel"),
        ([[50, 40, 17, 30]], r"with x0 < x1 and y0 < y1: not width and height"),
        ([[1, 2, np.nan, 4]], r"box 0, \(1, 2, nan, 4\), holds no pixel"),
    ],
)
def test_boxes_that_are_none_are_one_message(boxes, message):
    with pytest.raises(UserError, match=message):
        cut_out(FRAME, boxes)


@pytest.mark.parametrize("name", ["bpbreid", "pah"])
def test_a_frame_of_boxes_is_embedded_as_its_photos_are(name, tmp_path, monkeypatch):
    """Of no boxes the people are none, and can be compared, joined and kept with all others'."""
    model = loaded(tmp_path, name, monkeypatch)
    heads = {"labels": {"heads": np.array([[1, 1, 9, 9], *[[np.nan] * 4] * 3])}} if model.needs else {}
    people = model.embed_boxes(FRAME, BOXES, **heads)
    wanted = model.embed([FRAME[4:50, 3:20], FRAME[10:60, 0:13], FRAME[58:, 88:], FRAME], **heads)
    assert np.array_equal(people.features, wanted.features)
    assert people.paths == (None,) * 4
    nobody = model.embed_boxes(FRAME, [])
    assert nobody.features.shape == (0, *people.features.shape[1:])
    assert nobody.visibility.shape == (0, len(model.parts))
    assert partreid.distance(people, nobody).shape == (4, 0)
    assert partreid.distance(nobody, people).shape == (0, 4)
    assert np.array_equal(partreid.People.joined([nobody, people]).features, people.features)


def test_the_tracker_of_the_documents_runs(tmp_path, monkeypatch):
    """With one person who walks, and a second who comes in the third of four frames."""
    model = loaded(tmp_path, "bpbreid", monkeypatch)
    document = (small_networks.PROJECT / "docs/use.md").read_text()
    code = re.search(r"```python\n(import numpy as np\nfrom scipy.*?)```", document, re.DOTALL)[1]
    boxes = [[[n, 4, n + 20, 50]] + [[60, 4, 80, 50]] * (n > 1) for n in range(4)]
    video = [(FRAME, each) for each in [*boxes, []]]
    names = {"model": model, "video": video, "partreid": partreid, "limit": 0.5}
    exec(code, names)
    assert len(names["tracks"]) >= 1
    assert all(len(track) == 1 for track in names["tracks"])
