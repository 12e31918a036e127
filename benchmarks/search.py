"""How long a server's answer takes after the embedding: a large gallery, one photo at a time.

    python benchmarks/search.py cosine     one vector of 2,048 numbers an image
    python benchmarks/search.py parts      BPBreID's distance, 6 parts of 512 numbers

Features are random around one centre per person, parts seen with probability 0.7. Each question is another person's,
asked as stages/serve.py asks it (serving.asking.Asking.rank): the nearest 20, their distances by part, all but the
embedding. Told are the wall-clock and the CPU time, over all threads, of an answer: the fastest, the median and the
slowest of ROUNDS; with `whole`, every image compared, beside `approximate`, the short list, and with a filter that
leaves half of the images. Takes twice the features' size on disk, in --out.
"""

import argparse
import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from partreid.api.people import People
from partreid.program import at_least, run
from partreid.search.finder import Ready
from partreid.search.gallery import Gallery
from partreid.serving.asking import Asking
from partreid.storage.embeddings import Embeddings

SHAPES = {"cosine": (1, 2048), "parts": (6, 512)}  # parts, numbers each
PER_PERSON = 20
ROUNDS = 30
SEEN = 0.7
BOX = (0, 0, 64, 128)


class Made:
    """Embeddings that are made when they are asked for, always the same."""

    def __init__(self, distance: str, images: int):
        self.header: Mapping[str, Any] = {"distance": distance}
        self.shape = SHAPES[distance]
        persons = (max(1, images // PER_PERSON), *self.shape)
        self.centres = np.random.default_rng(1).standard_normal(persons, dtype=np.float32)

    def of(self, image_ids: np.ndarray) -> Embeddings:
        """Of images, whose numbers tell the person; one seed for each block."""
        random = np.random.default_rng((2, int(image_ids[0])))
        features = random.standard_normal((len(image_ids), *self.shape), dtype=np.float32)
        features += self.centres[image_ids % len(self.centres)]
        features /= np.linalg.norm(features, axis=2, keepdims=True)
        seen = (random.random((len(image_ids), self.shape[0])) < SEEN).astype(np.float32)
        seen[:, 0] = 1  # the foreground
        return Embeddings(image_ids, features, seen, self.header)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("distance", choices=SHAPES)
    parser.add_argument("--index", nargs="+", choices=("whole", "approximate"), default=("whole", "approximate"))
    parser.add_argument("--images", type=at_least(1000), default=100_000)
    parser.add_argument("--out", type=Path, default=Path("tmp/benchmark-search"))
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    os.environ["DVC_ROOT"] = str(given.out)  # what is unpacked goes there too, and with it
    file = given.out / "gallery"
    file.touch()
    stored: Any = Made(given.distance, given.images)
    places = [f"camera {number % 2}/{number}.jpg" for number in range(given.images)]
    paths, cameras = [Path(each) for each in places], [f"camera {number % 2}" for number in range(given.images)]
    gallery = Gallery(file, stored, np.arange(given.images), paths, places, places, cameras)
    print(
        f"{given.images:,} images, {given.distance}, {SHAPES[given.distance][0]} x {SHAPES[given.distance][1]} numbers"
    )
    print("index        filter  ready s   wall ms: least median most   CPU ms: least median")
    for kind in given.index:
        start = time.perf_counter()
        ready = Ready(gallery, given.distance, kind)
        took = time.perf_counter() - start
        for words in ("", "camera 1"):
            wall, cpu = answers(ready, gallery, stored, words)
            told = (
                f"{wall.min():14.0f} {np.median(wall):6.0f} {wall.max():4.0f}   {cpu.min():13.0f} {np.median(cpu):6.0f}"
            )
            print(f"{kind:12} {'half' if words else 'none':6} {took:8.1f} {told}", flush=True)
    shutil.rmtree(given.out)


def answers(ready: Ready, gallery: Gallery, stored: Made, words: str) -> tuple[np.ndarray, np.ndarray]:
    """Wall-clock and CPU milliseconds of ROUNDS answers, after two that are not counted."""
    parts = tuple(f"part {number}" for number in range(stored.shape[0]))
    model: Any = SimpleNamespace(distance=stored.header["distance"])
    asking = Asking(model, gallery, ready, None, None)
    times = []
    for number in range(ROUNDS + 2):
        name = asking.photos.add(np.zeros((BOX[3], BOX[2], 3), np.uint8))
        of = stored.of(np.array([10**9 + number * 977]))
        asking.photos.get(name).embedded[BOX] = People(of.features, of.visibility, parts, model.distance, "", (None,))
        start = time.perf_counter(), time.process_time()
        asking.rank({"photo": name, "box": None, "words": words})
        times.append((time.perf_counter() - start[0], time.process_time() - start[1]))
    wall, cpu = 1000 * np.array(times[2:]).T
    return wall, cpu


if __name__ == "__main__":
    run(main)
