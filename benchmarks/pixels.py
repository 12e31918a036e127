"""Where training's pixels come from: CPU time per image from the mapped file and from the images' own files.

Usage: python benchmarks/pixels.py FOLDER [--height 256] [--width 128] [--images 3000] [--rounds 30]

Random batches of 64 of the JPEG files in FOLDER, the two ways taking turns, on one core; the least and the median of
the rounds, in milliseconds per image, all threads counted. Both give the same bytes, which is checked. The mapped file
is made in a temporary folder.
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from partreid.errors import UserError
from partreid.inputs.pixels import Pixels, images_of, kept
from partreid.program import at_least, run

BATCH = 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    for name, default in (("height", 256), ("width", 128), ("images", 3000), ("rounds", 30)):
        parser.add_argument(f"--{name}", type=at_least(1), default=default)
    given = parser.parse_args()
    cv2.setNumThreads(1)
    paths = sorted(path.name for path in given.folder.glob("*.jpg"))[: given.images]
    if not paths:
        raise UserError(f"no .jpg files in {given.folder}")
    files = images_of(given.folder, paths, given.height, given.width)
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["DVC_ROOT"] = scratch
        ways: dict[str, Pixels] = {"mapped": kept(files, [paths], given.folder.name), "files": files}
        spent: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(given.rounds):
            rows = rng.integers(0, len(paths), BATCH)
            made = {name: timed(pixels, rows, spent[name]) for name, pixels in ways.items()}
            if not np.array_equal(made["mapped"], made["files"]):
                raise UserError("the mapped file holds other pixels than the images")
    for name, times in spent.items():
        print(f"{name:>7}: least {min(times):.3f}, median {statistics.median(times):.3f} ms of CPU per image")
    print(f"files / mapped: {min(spent['files']) / min(spent['mapped']):.1f}")


def timed(pixels: Pixels, rows: np.ndarray, spent: list[float]) -> np.ndarray:
    """The images, uint8 (BATCH, height, width, 3); adds what they took, in milliseconds per image."""
    out = np.empty((len(rows), *pixels.shape[1:]), np.uint8)
    start = time.process_time()
    pixels.rows(rows, out)
    spent.append(1000 * (time.process_time() - start) / len(rows))
    return out


if __name__ == "__main__":
    run(main)
