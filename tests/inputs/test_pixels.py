"""The cache of pixels: what it holds, when it is made, and what happens where it does not fit."""

import errno
import runpy
import shutil
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from partreid.errors import UserError
from partreid.inputs import pixels
from partreid.inputs.images import read_image, resized
from partreid.inputs.pixels import Files, Mapped, images_of, kept


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path / "scratch"))
    rng = np.random.default_rng(0)
    for number in range(5):
        cv2.imwrite(str(tmp_path / f"{number}.png"), rng.integers(0, 256, (40, 20, 3), dtype=np.uint8))
    return tmp_path


def rows(source, *chosen):
    out = np.empty((len(chosen), *source.shape[1:]), np.uint8)
    source.rows(np.array(chosen), out)
    return out


def files(folder):
    return images_of(folder, [f"{n}.png" for n in range(5)], 32, 16)


def test_mapped_pixels_are_those_of_the_files(folder):
    cached = kept(files(folder), ["a"], "test")
    assert isinstance(cached, Mapped)
    expected = [resized(read_image(folder / f"{n}.png"), 32, 16) for n in (3, 0, 3)]
    for source in (cached, files(folder)):
        assert np.array_equal(rows(source, 3, 0, 3), expected)


def test_they_are_made_once_for_what_they_depend_on(folder):
    made = []
    source = files(folder)
    counted = Files(lambda row: made.append(row) or source._make(row), source.shape)
    for about in (["sha1 of all"], ["sha1 of all"], ["another sha1"]):
        kept(counted, about, "test")
    assert sorted(made) == sorted([*range(5)] * 2)
    next((folder / "scratch/tmp/pixels").glob("*.bytes")).write_bytes(b"cut off")
    kept(counted, ["sha1 of all"], "test")
    kept(counted, ["another sha1"], "test")
    assert len(made) == 15


def test_an_image_that_cannot_be_read_leaves_nothing(folder):
    (folder / "4.png").write_bytes(b"no image")
    with pytest.raises(UserError, match=r"4\.png"):
        kept(files(folder), ["a"], "test")
    assert {file.suffix for file in (folder / "scratch/tmp/pixels").iterdir()} == {".lock"}


@pytest.mark.parametrize("when", ["before", "while it is made"])
def test_without_room_the_files_are_read(when, folder, monkeypatch, capsys):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    if when == "before":
        monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=pixels.SPARE))
    else:
        monkeypatch.setattr("os.posix_fallocate", full)
    source = kept(files(folder), ["a"], "test")
    assert isinstance(source, Files)
    assert "cannot be kept" in capsys.readouterr().out
    assert {file.suffix for file in (folder / "scratch/tmp/pixels").iterdir()} == {".lock"}
    assert np.array_equal(rows(source, 2)[0], resized(read_image(folder / "2.png"), 32, 16))


def test_the_benchmark_compares_both_ways(folder, project, monkeypatch, capsys):
    for number in range(3):
        cv2.imwrite(str(folder / f"{number}.jpg"), np.zeros((40, 20, 3), np.uint8))
    main = runpy.run_path(str(project / "benchmarks/pixels.py"))["main"]
    monkeypatch.setattr("sys.argv", ["pixels.py", str(folder), "--height", "32", "--width", "16", "--rounds", "2"])
    main()
    assert "files / mapped: " in capsys.readouterr().out
