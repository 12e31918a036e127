"""How far work is: a bar on a terminal, lines in a log."""

import io
import sys

import pytest
from tqdm import tqdm

from partreid import progress
from partreid.progress import Lines, followed


class Clock:
    """Time that passes when a test says so."""

    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def test_a_log_holds_begin_and_end_and_every_fifteen_seconds_what_is_left(capsys, clock):
    with Lines(1200, "synthetic", "image", clock=clock) as lines:
        for _ in range(12):
            clock.now += 5
            lines.update(100)
    assert capsys.readouterr().err.splitlines() == [
        "synthetic: 1,200 images",
        "synthetic: 300 of 1,200 images, 20 a second, 00:45 left",
        "synthetic: 600 of 1,200 images, 20 a second, 00:30 left",
        "synthetic: 900 of 1,200 images, 20 a second, 00:15 left",
        "synthetic: 1,200 of 1,200 images in 01:00",
    ]


def test_what_an_earlier_run_did_makes_this_one_no_faster(capsys, clock):
    with Lines(1000, "labels", "image", done=900, clock=clock) as lines:
        clock.now += 20
        lines.update(10)
        lines.update(90)
    said = capsys.readouterr().err.splitlines()
    assert said[:2] == ["labels: 900 of 1,000 images", "labels: 910 of 1,000 images, 0.5 a second, 03:00 left"]


def test_short_brief_work_leaves_no_line_and_long_work_does(capsys, clock):
    with Lines(4, "pixels", "image", brief=True, clock=clock) as lines:
        lines.update(2)
        assert capsys.readouterr().err == ""
        clock.now += 30
        lines.update(1)
    assert capsys.readouterr().err == "pixels: 3 of 4 images, 0.1 a second, 00:10 left\n"


def test_what_comes_before_the_work_makes_it_no_slower(capsys, clock):
    with Lines(0, "epoch 1", "step", brief=True, clock=clock) as lines:
        clock.now += 600  # a look at all images
        lines.reset()
        lines.total = 100
        clock.now += 20
        lines.update(10)
    assert capsys.readouterr().err == "epoch 1: 10 of 100 steps, 0.5 a second, 03:00 left\n"


def test_work_that_failed_is_not_told_as_done(capsys, clock):
    with pytest.raises(OSError, match="full"), Lines(4, "pixels", "image", clock=clock):
        raise OSError("full")
    assert capsys.readouterr().err == "pixels: 4 images\n"


def test_one_image_is_one_image(capsys, clock):
    with Lines(1, "read", "image", clock=clock) as lines:
        lines.update()
    assert capsys.readouterr().err == "read: 1 image\nread: 1 of 1 image in 00:00\n"


def test_a_terminal_has_a_bar_and_nothing_else_has_a_carriage_return(monkeypatch, capsys):
    assert list(followed("ab", 2, "read")) == ["a", "b"]
    assert capsys.readouterr().err.splitlines() == ["read: 2 images", "read: 2 of 2 images in 00:00"]

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stderr", Terminal())
    with progress.progress(2, "read") as bar:
        assert isinstance(bar, tqdm)
        bar.update(2)
    assert "100%" in sys.stderr.getvalue()
    sys.stderr.truncate(0)
    with progress.progress(2, "read", quiet=True) as bar:
        bar.update(2)
    assert not sys.stderr.getvalue().strip("\0")
