"""Quality of head boxes: their overlap with the true ones (intersection over union, IoU).

Where the truth has a box and the tool has none, the IoU is 0. Where the truth has none because the head is hidden or
outside the image, a box of the tool is counted as false.
"""

import numpy as np

from partreid.quality.base import Arrays, mean

CORNERS = ("x0", "y0", "x1", "y1")
TITLES = {
    "iou": "box IoU",
    "iou50": "boxes with IoU >= 0.5",
    "found": "heads that have a box",
    "false": "boxes where no head is seen",
}
SCORED = "IoU of the boxes"


def compare(tool: Arrays, truth: Arrays) -> dict[str, np.ndarray]:
    """x0, y0, x1, y1 (n,) of both, NaN or empty for no box -> `iou` float32 (n,), `boxes` bool (n, 2): tool, truth."""
    ours, true = (np.stack([side[name] for name in CORNERS], -1).astype(np.float64) for side in (tool, truth))
    return {"iou": iou(ours, true).astype(np.float32), "boxes": np.stack([area(ours) > 0, area(true) > 0], -1)}


def area(boxes: np.ndarray) -> np.ndarray:
    """boxes (n, 4): x0, y0, x1, y1 -> areas (n,); 0 for one that is empty or NaN."""
    sides = np.maximum(np.nan_to_num(boxes[:, 2:] - boxes[:, :2]), 0)
    return sides.prod(-1)


def iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Boxes (n, 4) each -> intersection over union (n,), 0 where one is empty or NaN."""
    both = area(np.concatenate([np.maximum(a[:, :2], b[:, :2]), np.minimum(a[:, 2:], b[:, 2:])], -1))
    either = area(a) + area(b) - both
    return np.divide(both, either, out=np.zeros(len(a)), where=either > 0)


def summary(kept: Arrays) -> dict[str, float]:
    """See TITLES; the first three of true boxes, the last of images without one."""
    ours, true = kept["boxes"].T
    values = kept["iou"][true]
    return {
        "iou": mean(values),
        "iou50": mean((values >= 0.5).astype(float)),
        "found": mean(ours[true].astype(float)),
        "false": mean(ours[~true].astype(float)),
    }


def details(kept: Arrays) -> dict[str, dict[str, float]]:
    """How many boxes: true ones, of those the ones that the tool has none for, and false ones."""
    ours, true = kept["boxes"].T
    missing, false = (true & ~ours).sum(), (ours & ~true).sum()
    counts = {"true": true.sum(), "missing": missing, "without": (~true).sum(), "false": false}
    return {"boxes": {name: float(count) for name, count in counts.items()}}


def score(kept: Arrays) -> np.ndarray:
    """The IoU; NaN where the truth has no box."""
    return np.where(kept["boxes"][:, 1], kept["iou"], np.nan)
