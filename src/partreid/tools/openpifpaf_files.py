"""Confidence fields that OpenPifPaf gave elsewhere, one .npy file per image, as BPBreID's scripts write them.

File names (methods of BPBreID's repository): `x.jpg.confidence_fields.npy`, `x.jpg.npy`, `x.npy`. Each holds float
(36, h, w): the confidences of the 17 keypoints and the 19 links in the order of partreid.body.skeleton.FIELDS, 0..1.
Files that were multiplied with a person mask are read like the others; other persons' fields are not removed here.

Geometry. OpenPifPaf pads an image of H x W pixels to the next sides of 16 n + 1 and gives a cell at every 8th pixel,
from the first on, so h = 2 ceil((H - 1) / 16) + 1. Where h and w are just these numbers, the cells are taken to lie
there (partreid.tools.programs.confidences, which tool `openpifpaf` uses too). BPBreID and its scripts neglect that and
stretch the fields over the image, half a cell off at the border. Fields of any other size, such as those of enlarged
images, are taken to divide the image evenly. `fields` has 33 x 17 cells that divide the image evenly.

`score` is the highest confidence of a keypoint. Below MIN_CONFIDENCE, where OpenPifPaf starts no person, the image is
`missing`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from partreid.body.skeleton import FIELDS, KEYPOINTS
from partreid.storage import cache
from partreid.storage.pieces import Work
from partreid.tools import imported
from partreid.tools.base import Images
from partreid.tools.programs import confidences
from partreid.tools.programs.confidences import GRID

VERSION = "1"  # raise when the output changes
GIVES = ("fields",)
TOOL = "openpifpaf_files"
ENDINGS = (".confidence_fields.npy", ".npy")
STRIDE = 8  # pixels of the image per cell
MIN_CONFIDENCE = 0.2  # OpenPifPaf's CifSeeds.threshold


def build(images: Images, *, folders: dict[str, Any]) -> tuple[dict[str, Any], Work]:
    """See partreid.tools. folders: data set -> folder with its files, at any depth, or split -> folder."""
    source = imported.find(images, TOOL, folders, ENDINGS)
    parameters = {"grid": GRID, "min_confidence": MIN_CONFIDENCE}
    head = cache.header(f"tool/{TOOL}", TOOL, VERSION, None, parameters, images.sha256)
    return imported.build(head, source, images, read, {"fields": np.zeros((len(FIELDS), *GRID), np.uint8)})


def read(file: Path, height: int, width: int) -> Mapping[str, Any] | None:
    """Score and fields of one image of height x width pixels; None where nobody is. See imported.Read."""
    fields = imported.numbers(file).astype(np.float32)
    if fields.ndim != 3 or fields.shape[0] != len(FIELDS) or 0 in fields.shape:
        raise ValueError(
            f"its shape is {fields.shape}, expected ({len(FIELDS)}, h, w): the confidences alone, 17 of keypoints and "
            "19 of links"
        )
    score = float(fields[: len(KEYPOINTS)].max())
    if score < MIN_CONFIDENCE:
        return None
    if score > 1.01:
        raise ValueError(f"its largest confidence is {score:g}, expected 0 to 1")
    return {"score": min(score, 1), "fields": np.rint(255 * on_grid(fields, height, width).clip(0, 1))}


def on_grid(fields: np.ndarray, height: int, width: int) -> np.ndarray:
    """Fields float32 (C, h, w) of an image of height x width pixels on the even grid: float32 (C, *GRID)."""
    h, w = fields.shape[1:]
    left, top, tall, wide = confidences.padding(height, width)
    if (h, w) == ((tall - 1) // STRIDE + 1, (wide - 1) // STRIDE + 1):
        return confidences.resample(fields, (height, width), left, top, (1, 1), STRIDE)
    # cells that divide the image evenly: as if it had been resized to one pixel per cell
    return confidences.resample(fields, (height, width), 0, 0, (w / width, h / height), 1)
