"""Heads, cut from the original image, which has more detail than the resized one, and changed as the image was.

Boxes are x0, y0, x1, y1; NaN where there is no head.
"""

import numpy as np

from partreid.inputs.augmentation import DX, DY, FLIP, HOLE
from partreid.inputs.images import resized
from partreid.inputs.kinds import Label


def boxes(label: Label) -> np.ndarray:
    """The boxes of a label's N images: float64 (N, 4), pixels of the original images."""
    corners = np.stack([label.values[name].astype(np.float64) for name in ("x0", "y0", "x1", "y1")], 1)
    corners[~label.known] = np.nan
    return corners


def in_shares(boxes: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Boxes (N, 4) in shares of images whose height and width in pixels are sizes (N, 2)."""
    return boxes / sizes[:, [1, 0, 1, 0]]


def cut(image: np.ndarray | None, box: np.ndarray, height: int, width: int) -> np.ndarray:
    """The head in an image uint8 (H, W, 3), resized to (height, width, 3); black where there is none."""
    if image is None or np.isnan(box).any():
        return np.zeros((height, width, 3), np.uint8)
    low, high = np.floor(box[:2]).astype(int), np.ceil(box[2:]).astype(int)  # whole pixels, at least one
    return resized(np.ascontiguousarray(image[low[1] : high[1], low[0] : high[0]]), height, width)


def places(boxes: np.ndarray, changes: np.ndarray) -> np.ndarray:
    """Where heads are after changes (n, 7) of their images: boxes and places float64 (n, 4), in shares of the images.

    Not cut off where they leave the image.
    """
    moved = _flipped(boxes, changes)
    return moved + changes[:, [DX, DY, DX, DY]]


def follow(boxes: np.ndarray, changes: np.ndarray) -> np.ndarray:
    """What changes (n, 7) of images do to what boxes (n, 4), in shares of the images, cut out: changes (n, 7).

    The flip and the part of the hole that covers the box; the shift moves the box along. None where there is no head.
    """
    x0, y0, x1, y1 = _flipped(boxes, changes).T
    hole = changes[:, HOLE] - changes[:, [DY, DX, DY, DX]]
    inside = (hole - np.stack([y0, x0, y0, x0], 1)) / np.stack([y1 - y0, x1 - x0, y1 - y0, x1 - x0], 1)
    result = np.zeros_like(changes)
    result[:, FLIP] = changes[:, FLIP]
    result[:, HOLE] = inside.clip(0, 1)
    return np.where(np.isnan(boxes[:, :1]), 0, result)


def _flipped(boxes: np.ndarray, changes: np.ndarray) -> np.ndarray:
    mirrored = np.stack([1 - boxes[:, 2], boxes[:, 1], 1 - boxes[:, 0], boxes[:, 3]], 1)
    return np.where(changes[:, [FLIP]] > 0, mirrored, boxes)
