"""Heads, cut from the original image, which has more detail than the resized one, and changed as the image was."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from partreid.inputs.augmentation import STILL, Change, move_image
from partreid.inputs.images import normalise, read_image, resized
from partreid.inputs.kinds import Label


def box(label: Label, row: int) -> np.ndarray | None:
    """x0, y0, x1, y1 in pixels of the original image; None where there is no head."""
    return np.array([label.values[name][row] for name in ("x0", "y0", "x1", "y1")]) if label.known[row] else None


def cut(image: np.ndarray, box: np.ndarray | None, height: int, width: int) -> np.ndarray:
    """The head in an image uint8 (H, W, 3), resized to (height, width, 3); black where there is none."""
    if box is None:
        return np.zeros((height, width, 3), np.uint8)
    low, high = np.floor(box[:2]).astype(int), np.ceil(box[2:]).astype(int)  # whole pixels, at least one
    return resized(np.ascontiguousarray(image[low[1] : high[1], low[0] : high[0]]), height, width)


def moved_head(
    image: np.ndarray, box: np.ndarray | None, change: Change, height: int, width: int
) -> tuple[np.ndarray, Change]:
    """The head of an original image after the flip of the whole, and what it goes through: its part of the hole."""
    head = cut(image, box, height, width)
    of_head = STILL if box is None else follow(change, box, *image.shape[:2])
    return move_image(head, of_head), of_head


def place(box: np.ndarray | None, change: Change, height: int, width: int) -> np.ndarray:
    """Where the head of an image of height x width pixels is after the change: float32 (4,), x0, y0, x1, y1 in shares.

    Not cut off where it leaves the image; NaN where there is no head.
    """
    if box is None:
        return np.full(4, np.nan, np.float32)
    x0, y0, x1, y1 = box / (width, height, width, height)
    if change.flip:
        x0, x1 = 1 - x1, 1 - x0
    return np.array([x0 + change.dx, y0 + change.dy, x1 + change.dx, y1 + change.dy], np.float32)


def follow(change: Change, box: np.ndarray, height: int, width: int) -> Change:
    """What a change of an image of height x width pixels does to what `box` cuts out: the shift moves the box along."""
    x0, y0, x1, y1 = box / (width, height, width, height)
    if change.flip:
        x0, x1 = 1 - x1, 1 - x0
    hole = np.array(change.hole) - (change.dy, change.dx, change.dy, change.dx)
    inside = ((hole - (y0, x0, y0, x0)) / (y1 - y0, x1 - x0, y1 - y0, x1 - x0)).clip(0, 1)
    return Change(change.flip, 0, 0, tuple(inside.tolist()))


def load_heads(root: Path, paths: Sequence[str], boxes: Sequence[np.ndarray | None], height: int, width: int) -> Tensor:
    """Heads as the networks take them in a test: float32 (B, 3, height, width)."""
    heads = [cut(read_image(root / path), box, height, width) for path, box in zip(paths, boxes, strict=True)]
    return normalise(torch.from_numpy(np.stack(heads)))
