"""Quality of keypoints: the share that lies near the truth (PCK).

A joint is right when it is at most alpha torso lengths from its true place, as in Sapp and Taskar, "MODEC: Multimodal
Decomposable Models for Human Pose Estimation", CVPR 2013, section on measuring accuracy. Differs from theirs: the torso
goes from the middle of the shoulders to the middle of the hips, not from left hip to right shoulder, so that it is as
long from the side as from the front. It is the true one, known even of people who are half outside the image; on the
rendered people it is 0.28 to 0.37 of the distance between the highest and the lowest joint, so never near zero.

Counted are the joints that the truth marks as seen, wherever the tool put them and whatever score it gave; all of an
image on which the tool found nobody are wrong.
"""

import numpy as np

from partreid.body.skeleton import KEYPOINTS
from partreid.quality.base import Arrays, mean, ratio
from partreid.storage.cache import OK

WITHIN = {"pck10": 0.1, "pck20": 0.2}  # metric -> alpha
TITLES = {"pck10": "PCK@0.1", "pck20": "PCK@0.2"}
SCORED = "1 - mean joint error in torso lengths"
_SHOULDERS, _HIPS = [5, 6], [11, 12]


def compare(tool: Arrays, truth: Arrays) -> dict[str, np.ndarray]:
    """keypoints (n, 17, 3) in pixels and status (n,) of both -> `error` float32 (n, 17), in true torso lengths.

    NaN: not seen by the truth. Infinite: the tool found nobody.
    """
    true = truth["keypoints"].astype(np.float64)
    error = ratio(np.linalg.norm(tool["keypoints"][..., :2] - true[..., :2], axis=-1), torso(true)[:, None])  # (n, 17)
    error[tool["status"] != OK] = np.inf
    error[(true[..., 2] <= 0) | (truth["status"] != OK)[:, None]] = np.nan
    return {"error": error.astype(np.float32)}


def torso(keypoints: np.ndarray) -> np.ndarray:
    """keypoints (n, 17, 2 or more) -> distance from the middle of the shoulders to the middle of the hips, (n,)."""
    places = keypoints[..., :2]
    return np.linalg.norm(places[:, _SHOULDERS].mean(1) - places[:, _HIPS].mean(1), axis=-1)


def summary(kept: Arrays) -> dict[str, float]:
    """The mean over the joints of each joint's share, so that a joint that is often hidden counts like any other."""
    return {metric: mean(shares(kept["error"], alpha)) for metric, alpha in WITHIN.items()}


def details(kept: Arrays) -> dict[str, dict[str, float]]:
    """Per joint."""
    found = {metric: shares(kept["error"], alpha) for metric, alpha in WITHIN.items()}
    return {joint: {metric: float(found[metric][k]) for metric in WITHIN} for k, joint in enumerate(KEYPOINTS)}


def shares(error: np.ndarray, within: float) -> np.ndarray:
    """Per joint (17,), the share of seen joints with an error (n, 17) of at most `within`; NaN for one never seen."""
    return ratio((error <= within).sum(0), (~np.isnan(error)).sum(0))


def score(kept: Arrays) -> np.ndarray:
    """1 less the mean error of the image's seen joints, an error of more than a torso length counting as one."""
    seen = ~np.isnan(kept["error"])
    return ratio(np.where(seen, 1 - np.minimum(kept["error"], 1), 0).sum(1), seen.sum(1))
