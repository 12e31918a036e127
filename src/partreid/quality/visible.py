"""Quality of what a tool says can be seen: precision, recall and F1 of each joint.

A joint that a tool says is seen has a score of at least the labels' min_score (of `poses`); on an image on which it
found nobody it says that none is. The truth's joints are seen where the renderer's are: in the image, with some of the
person in front of or around them, and nothing else.
"""

import numpy as np

from partreid.body.skeleton import KEYPOINTS
from partreid.quality.base import Arrays, mean, ratio
from partreid.storage.cache import OK

TITLES = {
    "precision": "joints said to be seen that are",
    "recall": "seen joints that are said to be",
    "f1": "F1 of the two",
}
SCORED = "share of joints rightly said to be seen or not"


def compare(tool: Arrays, truth: Arrays) -> dict[str, np.ndarray]:
    """seen bool (n, 17) and status (n,) of both -> `seen` bool (n, 17, 2): tool, truth."""
    return {"seen": np.stack([side["seen"] & (side["status"] == OK)[:, None] for side in (tool, truth)], -1)}


def summary(kept: Arrays) -> dict[str, float]:
    """Means over the joints, so that a joint that is often hidden counts like any other."""
    return {metric: mean(values) for metric, values in _of_joints(kept).items()}


def details(kept: Arrays) -> dict[str, dict[str, float]]:
    """Per joint."""
    found = _of_joints(kept)
    return {joint: {metric: float(found[metric][k]) for metric in TITLES} for k, joint in enumerate(KEYPOINTS)}


def _of_joints(kept: Arrays) -> dict[str, np.ndarray]:
    """Metric -> (17,); NaN where the joint is never seen and never said to be."""
    ours, true = kept["seen"][..., 0], kept["seen"][..., 1]
    both, said, seen = (ours & true).sum(0), ours.sum(0), true.sum(0)
    return {"precision": ratio(both, said), "recall": ratio(both, seen), "f1": ratio(2 * both, said + seen)}


def score(kept: Arrays) -> np.ndarray:
    """The share of the image's joints."""
    return (kept["seen"][..., 0] == kept["seen"][..., 1]).mean(1)
