"""Boxes in a frame, as a detector or a tracker gives them, as photos of one person each."""

from typing import Any

import numpy as np

from partreid.api.arrays import array
from partreid.errors import UserError


def cut_out(frame: np.ndarray, boxes: Any) -> list[np.ndarray]:
    """What lies in boxes of a frame (H, W, 3): views of whole pixels, those that a box touches, within the frame.

    boxes: (N, 4), x0, y0, x1, y1 in pixels, x1 and y1 past the last; none may be any empty array or list. UserError
    for a box that is none, or that lies outside the frame.
    """
    found = array("boxes", boxes)
    if not found.size:
        return []
    if found.ndim != 2 or found.shape[1] != 4 or found.dtype.kind not in "iuf":
        raise UserError(
            f"boxes are numbers (N, 4): x0, y0, x1, y1 in pixels; found {found.dtype} {found.shape}; where scores and "
            "classes stand beside them, give boxes[:, :4]"
        )
    height, width = frame.shape[:2]
    corners = found.astype(np.float64)
    low = np.floor(np.clip(corners[:, :2], 0, (width, height)))
    high = np.ceil(np.clip(corners[:, 2:], 0, (width, height)))
    if len(wrong := np.flatnonzero(~(high > low).all(1))):  # NaN is not
        box = ", ".join(f"{value:g}" for value in corners[wrong[0]])
        raise UserError(
            f"box {wrong[0]}, ({box}), holds no pixel of the frame of {width} x {height}; expected x0, y0, x1, y1 in "
            "pixels, with x0 < x1 and y0 < y1: not width and height, nor shares of the frame"
        )
    whole = np.concatenate([low, high], 1).astype(int).tolist()
    return [frame[y0:y1, x0:x1] for x0, y0, x1, y1 in whole]
