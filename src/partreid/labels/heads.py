"""Label `heads`: a box around the head, for PAH-Net.

Members, one value per image: `x0`, `y0`, `x1`, `y1` float32, pixels of the original image, clipped to it; `score` as
the tool gave it; `status`: ok where there is a box, missing where the tool found nobody or saw no head, failed as the
tool gave it. Rows that are not ok have NaN corners. The head is the whole of it, from chin to crown, seen from any
side: backs have heads too.

From a tool that gives `head`, that box. From keypoints and a person mask (partreid.labels.geometry): the ears lie in
the middle of a head, so the box is set around the middle of the seen ears, or, where none is seen, of eyes and nose.
HEIGHT is a head's height as a share of the stature (0.130 on the bare skull: Drillis and Contini, "Body segment
parameters", 1966; more with hair, and because an estimated stature is short rather than long); the chin is CHIN of it
below the ears. Crown, back and face are where the mask ends: of the mask above the ears, in a window around them, the
box takes the extent. Where the window has no mask, WIDTH and the rest of HEIGHT stand in. Constants were fitted to the
training half of the rendered people.
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from partreid.labels.geometry import centres, middle, stature
from partreid.labels.reading import read
from partreid.storage import cache
from partreid.storage.pieces import Work

CORNERS = ("x0", "y0", "x1", "y1")
HEIGHT = 0.15  # of the stature; all others are shares of this height
CHIN = 0.43  # below the ears
WIDTH = 0.8
ABOVE, BESIDE = 0.9, 0.7  # how far from the ears the window reaches


def build(native: cache.Cache, table: pa.Table, *, margin: float, min_score: float) -> tuple[dict[str, Any], Work]:
    """See partreid.labels. margin: added on each side, as a share of the box's own width or height.

    min_score: keypoints below it are not seen.
    """
    options = {"margin": margin, "min_score": min_score}
    sizes = np.stack([table["height"].to_numpy(), table["width"].to_numpy()], 1)
    native_box = "head" in native.header["gives"]
    work = partial(look, native.path, native_box, sizes, options)
    return cache.label_header("heads", native.header, options), work


def nobody(_header: Mapping[str, Any]) -> dict[str, float]:
    """The members of an image without a head, see partreid.labels.base."""
    return dict.fromkeys(CORNERS, np.nan)


def look(
    native: Path, native_box: bool, sizes: np.ndarray, options: dict[str, float], start: int, stop: int
) -> dict[str, np.ndarray]:
    """Boxes of images start..stop-1. native_box: take the tool's `head`. sizes: (N, 2), height and width in pixels."""
    sizes = sizes[start:stop]
    status, score = read(native, ("status", "score"), start, stop)
    if native_box:
        (boxes,) = read(native, ("head",), start, stop)
    else:
        keypoints, person = read(native, ("keypoints", "person"), start, stop)
        boxes = make(keypoints, person, sizes, min_score=options["min_score"])
    boxes = widen(boxes, sizes, options["margin"])
    boxes[status != cache.OK] = np.nan
    status = np.where((status == cache.OK) & np.isnan(boxes[:, 0]), cache.MISSING, status).astype(np.uint8)
    return {"status": status, "score": score, **dict(zip(CORNERS, boxes.T, strict=True))}


def make(keypoints: np.ndarray, person: np.ndarray, sizes: np.ndarray, *, min_score: float) -> np.ndarray:
    """keypoints (n, 17, 3), person uint8 (n, h, w), sizes (n, 2) -> boxes float32 (n, 4), not clipped.

    NaN where no joint of the head is seen.
    """
    keypoints = keypoints.astype(np.float32)
    height = HEIGHT * stature(keypoints, sizes[:, 0], min_score)
    ears, seen = face(keypoints, min_score)
    boxes = np.full((len(keypoints), 4), np.nan, np.float32)
    for row in np.flatnonzero(seen):
        left, top, right = outline(person[row] >= 128, sizes[row], ears[row], height[row])
        boxes[row] = left, top, right, ears[row, 1] + CHIN * height[row]
    return boxes


def face(keypoints: np.ndarray, min_score: float) -> tuple[np.ndarray, np.ndarray]:
    """Where the middle of the head is: the middle of the seen ears, else of the seen eyes, else the nose.

    keypoints (n, 17, 3) -> (n, 2), and whether there is any: bool (n,).
    """
    place, known = np.zeros((len(keypoints), 2), np.float32), np.zeros(len(keypoints), bool)
    for name in ("ear", "eye", "nose"):
        here, seen = middle(keypoints, name, min_score)
        place = np.where((seen & ~known)[:, None], here, place)
        known |= seen
    return place, known


def outline(person: np.ndarray, size: np.ndarray, ears: np.ndarray, height: float) -> tuple[float, float, float]:
    """Left, top and right of a head in one person mask, bool (h, w); all in pixels of the image of `size` (h, w)."""
    x, y = ears
    rows, columns = person.shape
    below = centres(rows, float(size[0])) - y  # (h,), how far below the ears
    beside = centres(columns, float(size[1])) - x
    here = person & ((below <= 0) & (below >= -ABOVE * height))[:, None] & (np.abs(beside) <= BESIDE * height)
    if not here.any():
        half = WIDTH / 2 * height
        return x - half, y - (1 - CHIN) * height, x + half
    across, down = np.flatnonzero(here.any(0)), np.flatnonzero(here.any(1))
    cell_h, cell_w = size[0] / rows, size[1] / columns
    return across[0] * cell_w, down[0] * cell_h, (across[-1] + 1) * cell_w


def widen(boxes: np.ndarray, sizes: np.ndarray, margin: float) -> np.ndarray:
    """Boxes (n, 4) with a margin on each side, clipped to images of sizes (n, 2); NaN where nothing is left."""
    low, high = boxes[:, :2], boxes[:, 2:]
    border = margin * (high - low)
    limit = sizes[:, ::-1]
    low, high = np.clip(low - border, 0, limit), np.clip(high + border, 0, limit)
    clipped = np.concatenate([low, high], 1).astype(np.float32)
    clipped[~(high > low).all(1)] = np.nan
    return clipped
