"""Answers about a photo, by a model that only looks at one pixel."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import search_server
from partreid.api.people import People
from partreid.search.finder import Ready
from partreid.search.gallery import Gallery
from partreid.serving import asking
from partreid.storage import embeddings
from partreid.storage.embeddings import Embeddings, Stored

FEATURES = np.float32([[[0, 0], [3, 4]], [[1, 0], [0, 0]], [[0, 2], [0, 0]]])  # three images, two parts
SEEN = np.float32([[1, 1], [1, 0], [0, 1]])
PLACES, CAMERAS = ["p10/a.jpg", "p2/B c.jpg", "d.jpg"], ["cam 10", "cam 2", ""]


class Model:
    """Zeros for every photo; it shows the parts that its first pixel names."""

    distance = "parts"

    def __init__(self):
        self.embedded = 0

    def embed(self, image):
        self.embedded += 1
        seen = np.float32([[image[0, 0, 0], image[0, 0, 1]]])
        return People(np.zeros((1, 2, 2), np.float32), seen, ("head", "legs"), "parts", "0" * 64, (None,))


@pytest.fixture
def asked(tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    file = tmp_path / "e.npz"
    embeddings.write(file, {}, [Embeddings(np.arange(3), FEATURES, SEEN, {})])
    gallery = Gallery(file, Stored(file), np.arange(3), [Path(place) for place in PLACES], PLACES, PLACES, CAMERAS)
    return asking.Asking(Model(), gallery, Ready(gallery, "parts", "whole"), None, None)


def give(asked, *parts):
    """A photo that shows these parts."""
    image = np.zeros((20, 30, 3), np.uint8)
    image[..., list(parts)] = 1
    return asked.add(search_server.png(image))["photo"]


def test_parts_that_one_of_both_hides_are_unknown_and_come_last(asked):
    found = asked.rank({"photo": give(asked, 0)})
    assert [(each["path"], each["distance"], each["parts"]) for each in found["found"]] == [
        ("p10/a.jpg", 0, [0, None]), ("p2/B c.jpg", 1, [1, None]), ("d.jpg", None, [None, None]),
    ]  # fmt: skip
    assert [each["same"] for each in found["found"]] == [None] * 3  # without a threshold nobody is called the same
    assert found["parts"] == [{"name": "head", "seen": True}, {"name": "legs", "seen": False}]
    assert found["comparable"] is True
    assert asked.rank({"photo": give(asked)})["comparable"] is False


def test_a_threshold_takes_what_is_as_far_as_it(asked):
    limited = asking.Asking(asked.model, asked.gallery, asked.ready, SimpleNamespace(distance=1.0), None, asked.photos)
    found = limited.rank({"photo": give(asked, 0)})["found"]
    assert [each["same"] for each in found] == [True, True, False]


def test_cameras_and_folders_are_offered_in_the_order_of_their_numbers(asked, monkeypatch):
    assert asked.cameras() == ["cam 2", "cam 10"]
    assert asked.folders() == ["p2", "p10"]
    monkeypatch.setattr(asking, "FOLDERS", 1)
    assert asked.folders() == ["p2"]
    assert asked.allowed("", "  ") is None
    assert asked.allowed("", " b  C.JPG").tolist() == [False, True, False]
    assert asked.allowed("cam 10", "p2").tolist() == [False] * 3


def test_a_box_is_embedded_once_and_not_too_many_are_kept(asked, monkeypatch):
    monkeypatch.setattr(asking, "BOXES", 2)
    name = give(asked, 0)
    for box, times in (([0, 0, 9, 9], 1), (None, 2), ([0, 0, 9, 9], 2), ([0, 0, 9, 10], 3), (None, 4)):
        asked.rank({"photo": name, "box": box})
        assert asked.model.embedded == times
        assert len(asked.photos.get(name).embedded) <= 2
