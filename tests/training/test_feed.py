"""Batches ahead of the network: order, errors, the end of the thread, and what is done on a GPU's side stream."""

import threading
import time
from contextlib import closing, contextmanager
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from partreid.errors import UserError
from partreid.inputs.ahead import ahead
from partreid.training import data, feed


def test_items_come_in_order_and_an_error_where_it_stands():
    def items():
        yield from range(5)
        raise UserError("no image 5")

    waiting = ahead(items())
    assert [next(waiting) for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(UserError, match="no image 5"):
        next(waiting)


def test_the_thread_ends_when_nobody_wants_more():
    def endless():
        number = 0
        while True:
            yield number
            number += 1

    with closing(ahead(endless())) as waiting:
        assert next(waiting) == 0
        assert any(thread.name == "feed" for thread in threading.enumerate())
    deadline = time.monotonic() + 60
    while any(thread.name == "feed" for thread in threading.enumerate()):
        assert time.monotonic() < deadline


class Memory:
    """Pixels in an array."""

    def __init__(self, pixels):
        self.pixels, self.shape = pixels, pixels.shape

    def rows(self, rows, out):
        out[...] = self.pixels[rows]


def parcels():
    pixels = np.random.default_rng(0).integers(0, 256, (6, 8, 4, 3), dtype=np.uint8)
    training_set = data.TrainingSet(None, [""] * 6, np.arange(6) // 2, {}, [""] * 6)
    source = data.Source(training_set, Memory(pixels))
    augmentation = data.Augmentation(8, 4, flip=0.5, pad=2, erase=0.5)
    return data.parcels(source, augmentation, [np.array([0, 1]), np.array([4, 2])], seed=3, epoch=1)


def test_a_gpus_batches_are_made_on_a_stream_of_their_own_and_waited_for(monkeypatch):
    happened = []
    inside = threading.local()

    class Event:
        def record(self, stream):
            happened.append(("made", stream))

    class Stream:
        def __init__(self, _=None):
            self.name = "side"

        def wait_event(self, event):
            assert isinstance(event, Event)
            happened.append(("waited for", self.name))

    @contextmanager
    def on(stream):
        inside.stream = stream
        yield
        inside.stream = None

    def copies(parcel, function):  # noqa: ARG001  there is no device to copy to
        assert inside.stream is not None
        return dict(parcel)

    main = Stream()
    main.name = "main"
    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "stream", on)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda _=None: main)
    monkeypatch.setattr(torch.Tensor, "record_stream", lambda _, stream: happened.append(("kept for", stream.name)))
    monkeypatch.setattr(feed, "mapped", copies)
    found = list(feed.feed(parcels(), SimpleNamespace(type="cuda"), clean=False))
    monkeypatch.undo()
    expected = list(feed.feed(parcels(), torch.device("cpu"), clean=False))
    assert len(found) == len(expected) == 2
    for one, other in zip(found, expected, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(feed.tensors_of(one), feed.tensors_of(other), strict=True))
    waited = [place for place, (what, _) in enumerate(happened) if what == "waited for"]
    made = [place for place, (what, _) in enumerate(happened) if what == "made"]
    assert len(waited) == len(made) == 2
    assert all(m < w for m, w in zip(made, waited, strict=True))
    kept = sum(what == ("kept for", "main") for what in happened)
    assert kept == sum(1 for batch in found for _ in feed.tensors_of(batch))


def test_no_two_purposes_share_random_numbers():
    """default_rng([s, e]) is default_rng([s, e, 0, 0]), so order and first image once did."""
    purposes = [(data.ORDER, 0), (data.ORDER, 1), (data.CHANGES, 0, 0), (data.CHANGES, 0, 1), (data.CHANGES, 1, 0)]
    drawn = [tuple(data.stream(seed, *purpose).integers(0, 1 << 60, 4)) for seed in (0, 1) for purpose in purposes]
    assert len(set(drawn)) == len(drawn)
    assert tuple(data.stream(1, data.ORDER, 1).integers(0, 1 << 60, 4)) in drawn
