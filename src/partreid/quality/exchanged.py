"""Quality of left and right: how often a tool takes one side of the body for the other.

A trunk is exchanged when its shoulders and hips lie nearer to the truth, all together, with left and right exchanged.
Counted are images on which the tool found somebody and whose true shoulders lie at least WIDE torso lengths apart
across the image: of people seen from the side, there is nothing to tell.
"""

import numpy as np

from partreid.quality.base import Arrays, mean
from partreid.quality.keypoints import torso
from partreid.storage.cache import OK

TITLES = {"exchanged": "left and right of the trunk exchanged"}
SCORED = "1 where left and right of the trunk are right"
WIDE = 0.25
_LEFT, _RIGHT = [5, 11], [6, 12]  # shoulder and hip


def compare(tool: Arrays, truth: Arrays) -> dict[str, np.ndarray]:
    """keypoints (n, 17, 3) and status (n,) of both -> `exchanged` float32 (n,): 1, 0; NaN: does not count."""
    ours, true = (side["keypoints"][..., :2].astype(np.float64) for side in (tool, truth))
    as_named = _apart(ours, true, _LEFT, _LEFT) + _apart(ours, true, _RIGHT, _RIGHT)
    crossed = _apart(ours, true, _LEFT, _RIGHT) + _apart(ours, true, _RIGHT, _LEFT)
    wide = np.abs(true[:, _LEFT[0], 0] - true[:, _RIGHT[0], 0]) >= WIDE * torso(true)
    counts = wide & (tool["status"] == OK) & (truth["status"] == OK)
    return {"exchanged": np.where(counts, crossed < as_named, np.nan).astype(np.float32)}


def _apart(ours: np.ndarray, true: np.ndarray, a: list[int], b: list[int]) -> np.ndarray:
    """Summed distance of our joints `a` from the true joints `b`: (n,)."""
    return np.linalg.norm(ours[:, a] - true[:, b], axis=-1).sum(-1)


def summary(kept: Arrays) -> dict[str, float]:
    """The share of the images that count."""
    return {"exchanged": mean(kept["exchanged"])}


def details(kept: Arrays) -> dict[str, dict[str, float]]:
    """How many images count, and how many of them are exchanged."""
    counts = ~np.isnan(kept["exchanged"])
    return {"images": {"counted": float(counts.sum()), "exchanged": float(np.nansum(kept["exchanged"]))}}


def score(kept: Arrays) -> np.ndarray:
    """1 or 0; NaN where the image does not count."""
    return 1 - kept["exchanged"]
