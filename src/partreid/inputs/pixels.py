"""Pixels of images that are read again and again: decoded and resized once, kept as bytes in a memory-mapped file.

A training reads every image once an epoch. Of Market-1501 at 256 x 128 that takes 0.23 ms of CPU an image from the
files and 0.018 ms from the mapped one, which the system keeps in memory as long as there is room (see
benchmarks/pixels.py); no processes are needed then, and no shared memory. The file is a cache in the scratch folder,
`tmp/pixels`: no result depends on whether it is there, and it may be deleted at any time. Its name is made of all that
it depends on, so a stale one is never read. Where it does not fit on the disk, images are read from their files by
threads instead.
"""

import errno
import fcntl
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import numpy as np

from partreid.inputs.heads import cut
from partreid.inputs.images import read_image, resized
from partreid.progress import progress
from partreid.storage.files import fingerprint, scratch_root, sweep, whole

VERSION = 1  # raise when the pixels' meaning changes
SPARE = 1 << 30  # bytes that are left free on the disk
PIECE = 64  # images that a thread makes at a time


class Pixels(Protocol):
    """N images of one size."""

    shape: tuple[int, int, int, int]  # N, height, width, 3

    def rows(self, rows: np.ndarray, out: np.ndarray) -> None:
        """Write images `rows` (n,) into out, uint8 RGB (n, height, width, 3)."""


class Mapped:
    """Pixels of a file."""

    def __init__(self, path: Path, shape: tuple[int, int, int, int]):
        self.shape = shape
        self._pixels = np.memmap(path, np.uint8, "r", shape=shape)

    def rows(self, rows: np.ndarray, out: np.ndarray) -> None:
        np.take(self._pixels, rows, axis=0, out=out, mode="clip")  # the mode that makes no copy first


class Files:
    """Pixels that are made of the files each time, by threads: what decodes and resizes leaves Python's lock."""

    def __init__(self, make: Callable[[int], np.ndarray], shape: tuple[int, int, int, int]):
        self.shape = shape
        self._make = make
        self._threads = ThreadPoolExecutor(cores())

    def rows(self, rows: np.ndarray, out: np.ndarray) -> None:
        for place, image in enumerate(self._threads.map(self._make, rows.tolist())):
            out[place] = image


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def images_of(root: Path, paths: Sequence[str], height: int, width: int) -> Files:
    """The images at `paths` below root, read when they are asked for."""
    return Files(lambda row: resized(read_image(root / paths[row]), height, width), (len(paths), height, width, 3))


def heads_of(root: Path, paths: Sequence[str], boxes: np.ndarray, height: int, width: int) -> Files:
    """Their heads: what boxes float (N, 4), pixels of the original images, cut out; black where these are NaN."""

    def make(row: int) -> np.ndarray:
        known = not np.isnan(boxes[row]).any()
        return cut(read_image(root / paths[row]) if known else None, boxes[row], height, width)

    return Files(make, (len(paths), height, width, 3))


def kept(files: Files, about: Iterable[object], what: str) -> Pixels:
    """The same pixels from a mapped file, which is made now unless it is there.

    about: all that the pixels depend on beside their size, such as the images' sha1. what: names them for the user.
    """
    folder = scratch_root() / "pixels"
    path = folder / f"{fingerprint(VERSION, list(files.shape), *about)}.bytes"
    size = int(np.prod(files.shape, dtype=np.int64))
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another process may be making it: wait for it
        if path.is_file() and path.stat().st_size == size:
            return Mapped(path, files.shape)
        sweep(path)
        try:
            if size + SPARE > shutil.disk_usage(folder).free:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            _make(files, path, size, what)
        except OSError as error:
            print(f"{what}: {size / 1e9:.1f} GB of pixels cannot be kept in {folder} ({error.strerror or error});")
            print("the images' own files are read instead, in every epoch", flush=True)
            return files
    return Mapped(path, files.shape)


def _make(files: Files, path: Path, size: int, what: str) -> None:
    N = files.shape[0]
    with whole(path) as temporary, progress(N, f"{what}: pixels", brief=True) as bar:
        with temporary.open("wb") as file:
            file.truncate(size)
            if hasattr(os, "posix_fallocate"):  # else a disk that fills up meanwhile kills who writes to the map
                os.posix_fallocate(file.fileno(), 0, size)
        pixels = np.memmap(temporary, np.uint8, "r+", shape=files.shape)

        def piece(start: int) -> int:
            stop = min(start + PIECE, N)
            for row in range(start, stop):
                pixels[row] = files._make(row)
            return stop - start

        with ThreadPoolExecutor(cores()) as threads:
            for done in threads.map(piece, range(0, N, PIECE)):
                bar.update(done)
        pixels.flush()
    print(f"{what}: {N:,} images, decoded once for all epochs, in {path.parent} ({size / 1e6:,.1f} MB)", flush=True)
