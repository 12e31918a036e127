"""How soon the label viewer answers, and how much memory it takes, at two sizes of a data set.

    python benchmarks/viewer.py             2,000 images, and 36,036, as many as Market-1501 has

Made in a temporary folder: an image table whose rows are 64 plain photos over and over, and `pifpaf` labels of two
tools, drawn from random keypoints. A process of its own for each size asks as a browser does, without the network: the
first page, pages by order and filter, the pictures of a page (48), the same again, the agreement of both tools. Beside
it stands what is bound to be done: of a page, NumPy's sorting of the scores; of a picture, drawing the label from an
array in memory. Times are processor times, the least of ROUNDS; memory is the process's peak.
"""

import argparse
import multiprocessing
import os
import resource
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from starlette.testclient import TestClient

from partreid import params
from partreid.drawing import label_pictures, pictures
from partreid.drawing.label_views import VIEWS
from partreid.labels import LABELS, native
from partreid.program import run
from partreid.quality.images import open_images
from partreid.serving import labels_pages
from partreid.serving.app import application
from partreid.serving.labels_shelf import Shelf
from partreid.storage import cache, image_table, pieces, places
from partreid.storage.files import sha256

SIZES = (2_000, 36_036)
ROUNDS = 5
PHOTOS = 64
LABEL, DATASET = "pifpaf", "synthetic"
PARAMS = Path(__file__).resolve().parents[1] / "params.yaml"
INDEX = places.index(DATASET)
ADDRESS = f"dataset={DATASET}&label={LABEL}"


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    for images in SIZES:
        with tempfile.TemporaryDirectory() as name:
            alone(project, Path(name), images)
            print(f"\n{images:,} images")
            print("\n".join(alone(measured, Path(name))))


def alone(work: Callable[..., Any], *arguments: object) -> Any:
    """Work done in a process of its own, whose memory is nobody else's."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(work, arguments)


def project(root: Path, images: int) -> None:
    """Make the folder."""
    os.chdir(root)
    Path("params.yaml").write_bytes(PARAMS.read_bytes())
    Path(f"data/{DATASET}").mkdir(parents=True)
    random = np.random.default_rng(0)
    for number in range(PHOTOS):
        cv2.imwrite(f"data/{DATASET}/{number}.jpg", random.integers(0, 255, (128, 64, 3), np.uint8))
    row = {"split": "train", "width": 64, "height": 128, "sha1": "0"}
    rows = [{**row, "path": f"{n % PHOTOS}.jpg", "pid": n % 1501} for n in range(images)]
    table = image_table.build(rows, {})
    image_table.write(table, INDEX)
    for tool in ("blazepose", "truth"):
        seen(tool, images, random)
    block = params.load().labels[LABEL]
    header, work = native.build(LABEL, "blazepose", DATASET, table, INDEX, block.options)
    pieces.write(LABELS[LABEL].file(LABEL, DATASET), {**header, "version": block.version}, work, images, 1)


def seen(tool: str, images: int, random: np.random.Generator) -> None:
    """Write what a tool says: somebody upright somewhere in most images."""
    upright = np.stack([np.linspace(0.3, 0.7, 17) * 64, np.linspace(0.1, 0.9, 17) * 128, np.full(17, 0.9)], 1)
    score = random.random(images).astype(np.float32)
    status = np.where(score < 0.05, cache.MISSING, cache.OK).astype(np.uint8)
    moved = random.normal(0, 4, (images, 17, 2))

    def work(start: int, stop: int) -> dict[str, np.ndarray]:
        keypoints = np.tile(upright, (stop - start, 1, 1))
        keypoints[..., :2] += moved[start:stop]
        person = np.zeros((stop - start, 128, 64), np.uint8)
        person[:, 8:120, 14:50] = 255
        good = (status[start:stop] == cache.OK)[:, None, None]
        return {
            "status": status[start:stop],
            "score": score[start:stop],
            "keypoints": (keypoints * good).astype(np.float32),
            "person": (person * good).astype(np.uint8),
        }

    header = cache.header(f"tool/{tool}", tool, "1", None, {}, sha256(INDEX))
    pieces.write(native.file(tool, DATASET), {**header, "gives": ["keypoints", "person"]}, work, images, 1)


def measured(root: Path) -> list[str]:
    """Lines to print."""
    os.chdir(root)
    before = peak()
    shelf = Shelf(params.load())
    asked = TestClient(application([labels_pages.part(params.load())]), base_url="http://localhost")

    def ask(address: str) -> Any:
        answer = asked.get(f"/labels/{address}")
        answer.raise_for_status()
        return answer

    def page(number: int) -> list[int]:
        return [row["id"] for row in ask(f"rows?{ADDRESS}&order=-score&page={number}").json()["rows"]]

    lines = [f"opening it, and its first page      {1e3 * once(lambda: page(1)):8.1f} ms"]
    label = shelf.label(DATASET, LABEL, "cache")
    bare = least(lambda: np.argsort(label.score, kind="stable"))
    middle = len(label.score) // labels_pages.PAGE // 2
    ways = {"a page in the middle": f"page={middle}", "of one person": "person=15", "low scores": "high=0.1"}
    for name, way in ways.items():
        took = least(partial(ask, f"rows?{ADDRESS}&{way}"))
        lines.append(f"{name:<35} {1e3 * took:8.1f} ms; sorting the scores alone {1e3 * bare:.1f} ms")
    here = page(middle)
    took = once(lambda: [ask(f"strip/{row}?{ADDRESS}") for row in here]) / len(here)
    again = least(lambda: [ask(f"strip/{row}?{ADDRESS}") for row in here]) / len(here)
    lines.append(
        f"a picture of such a page            {1e3 * took:8.1f} ms; drawing it alone {1e3 * drawing(here):.1f} ms"
    )
    lines.append(f"the same picture again              {1e3 * again:8.1f} ms")
    for number in range(middle, middle + 10):
        for row in page(number):
            ask(f"strip/{row}?{ADDRESS}")
    lines.append(f"memory after ten pages              {peak():8.0f} MiB; before the first {before:.0f} MiB")
    start, work = time.process_time(), shelf.comparison(DATASET, LABEL, "cache", "truth")
    work.wait()
    took = time.process_time() - start
    lines.append(f"comparing two tools, all images     {took:8.1f} s; {peak():.0f} MiB")
    return lines


def drawing(rows: list[int]) -> float:
    """Seconds that drawing a label takes whose image and maps are in memory."""
    images = open_images(DATASET, params.load())
    opened = cache.Cache(LABELS[LABEL].file(LABEL, DATASET), f"label/{LABEL}", INDEX)
    view, every = VIEWS[LABEL], []
    for row in rows:
        values = {name: opened.rows(name, np.array([row]))[0] for name in view.members}
        every.append((images.read(row), values, opened.status[row]))

    def draw() -> None:
        for image, values, status in every:
            drawn = label_pictures.label(view, image, values, status, header=opened.header, parts="8")
            pictures.jpeg(next(iter(drawn.values())))

    return least(draw) / len(rows)


def once(work: Callable[[], object]) -> float:
    """Seconds of processor time."""
    start = time.process_time()
    work()
    return time.process_time() - start


def least(work: Callable[[], object]) -> float:
    """The same, of several rounds the least."""
    return min(once(work) for _ in range(ROUNDS))


def peak() -> float:
    """Of this process's memory, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    run(main)
