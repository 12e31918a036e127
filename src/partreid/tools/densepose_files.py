"""What DensePose gave elsewhere, one file per image: a PNG of its Caffe2 program, or an npz.

`x_IUV.png`, which Detectron's tools/infer_simple.py writes: 8 bits, as large as the image, three channels, of which the
first in OpenCV's order (blue) is the chart, 0 for none, 1 to 24; the others are U and V. The charts of all persons that
it found are in it. (`x_INDS.png` beside it is of no use: it numbers the first person 0, like the background.)
`x.npz` or `x.densepose.npz`: member `labels`, whole numbers (H, W), the same charts; of any size, over the image's
extent; and, if there, `score`, one number, 0..1.

detectron2's `apply_net.py dump` writes a pickle of torch objects. Opening one can run any code and needs DensePose, so
partreid does not; CONVERT below does, in DensePose's own environment.

`head`, `person`, `parsing` are as from tool `densepose` (partreid.tools.programs.charts), the person being 255 where a
chart is. Without any chart the image is `missing`. `score` is 1 where the file has none.
"""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from partreid.storage import cache
from partreid.storage.pieces import Work
from partreid.tools import imported
from partreid.tools.base import Images
from partreid.tools.given import given
from partreid.tools.programs import charts
from partreid.tools.programs.charts import GRID

VERSION = "1"  # raise when the output changes
GIVES = ("head", "person", "parsing")
TOOL = "densepose_files"
ENDINGS = ("_IUV.png", ".densepose.npz", ".npz")
CHARTS = 24

CONVERT = """
import pickle, cv2, numpy
for image in pickle.load(open("results.pkl", "rb")):
    height, width = cv2.imread(image["file_name"]).shape[:2]
    labels, score = numpy.zeros((height, width), numpy.uint8), 0.0
    boxes = image["pred_boxes_XYXY"].cpu().numpy() if "pred_boxes_XYXY" in image else numpy.zeros((0, 4))
    if len(boxes):  # the person with the largest box
        best = ((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])).argmax()
        chart, score = image["pred_densepose"][best].labels.cpu().numpy(), float(image["scores"][best])
        x, y = boxes[best, :2].astype(int)
        part = labels[y : y + chart.shape[0], x : x + chart.shape[1]]
        part[:] = chart[: part.shape[0], : part.shape[1]]
    numpy.savez_compressed(image["file_name"] + ".densepose.npz", labels=labels, score=score)
"""


def build(images: Images, *, folders: dict[str, Any]) -> tuple[dict[str, Any], Work]:
    """See partreid.tools. folders: data set -> folder with its files, at any depth, or split -> folder."""
    places = [place.path for place in given(images, TOOL, "folders", folders)]
    hint = ""
    if any(place.suffix == ".pkl" or any(place.glob("*.pkl")) for place in places):
        hint = (
            ". The pickle of detectron2's `apply_net.py dump` is not read: opening one can run any code. Run this in "
            f"DensePose's environment, and set the folder to the one of the images:\n{CONVERT}"
        )
    source = imported.find(images, TOOL, folders, ENDINGS, hint)
    head = cache.header(f"tool/{TOOL}", TOOL, VERSION, None, {}, images.sha256)
    blank: dict[str, np.ndarray] = {
        "head": np.full(4, np.nan, np.float32),
        "person": np.zeros(GRID, np.uint8),
        "parsing": np.zeros(GRID, np.uint8),
    }
    return imported.build(head, source, images, read, blank)


def read(file: Path, height: int, width: int) -> Mapping[str, Any] | None:
    """Score, head, person and parsing of one image of height x width pixels; None without a chart: imported.Read."""
    labels, score = from_npz(file) if file.suffix.lower() == ".npz" else (from_png(file), 1.0)
    if labels.ndim != 2 or 0 in labels.shape or labels.min() < 0 or labels.max() > CHARTS:
        raise ValueError(
            f"its labels have shape {labels.shape} and values up to {labels.max(initial=0)}, expected (H, W) and "
            f"0 to {CHARTS}; in a PNG they are the first channel as OpenCV reads it (blue)"
        )
    if (between := labels.astype(np.uint8) != labels).any():
        raise ValueError(f"its labels hold {labels[between][0]:g}, expected whole numbers: was it scaled like a photo?")
    labels = labels.astype(np.uint8)
    if not labels.any():
        return None
    to_pixels = np.array([width, height, width, height], np.float32) / np.tile(labels.shape[::-1], 2)
    return {
        "score": score,
        "head": charts.head_box(labels) * to_pixels,
        "person": np.rint(255 * charts.shrink(labels > 0).clip(0, 1)),
        "parsing": charts.parsing(labels),
    }


def from_npz(file: Path) -> tuple[np.ndarray, float]:
    """Labels, and the score or 1. ValueError when they are not numbers."""
    labels = imported.numbers(file, "labels")
    with zipfile.ZipFile(file) as archive:
        scored = "score.npy" in archive.namelist()
    scores = imported.numbers(file, "score") if scored else np.ones(1)
    if scores.size != 1:
        raise ValueError(f"it holds {scores.size} scores, expected that of one person, whose charts `labels` are")
    score = float(scores.item())
    if not 0 <= score <= 1:
        raise ValueError(f"its score is {score:g}, expected 0 to 1")
    return labels, score


def from_png(file: Path) -> np.ndarray:
    """The first channel of an IUV image, uint8 (H, W). ValueError when the file is not one."""
    data = np.fromfile(file, np.uint8)
    image = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if data.size else None  # OpenCV's words on none are its source's
    if image is None or image.dtype != np.uint8 or image.ndim != 3:
        found = "no image" if image is None else f"{image.dtype} {image.shape}"
        raise ValueError(f"it is {found}, expected a PNG with three channels of 8 bits: charts, U, V")
    return image[..., 0]
