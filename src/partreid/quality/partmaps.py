"""Quality of label `partmaps`: cosine similarity of OpenPose's limb and joint maps.

Of a joint: the cosine of the tool's map and the truth's over the cells; of a limb: that of its two maps, the x and y of
its direction, taken together, so that both its place and its direction count and a limb taken for the other side's is
wrong. 1: the same up to a factor, which differs between networks and drawings and which a network learns to undo; 0:
nothing in common. (A PCK of the maps' strongest cells would say again what the keypoints' PCK says, in steps of a tenth
of the image's width.) Counted are the maps that the truth or the tool has something in; where only one of them has, the
cosine is 0. Left out: the background map, which is nearly the same for every image, and the 128 inner maps, which no
truth has.
"""

import numpy as np

from partreid.body.openpose_layout import BACKGROUND, LIMBS
from partreid.quality.base import Arrays, mean, ratio

JOINTS = 2 * len(LIMBS)  # the first channel of joints; before it each limb's x and y, in turn
PRESENT = 0.1  # a map whose strongest cell is weaker holds nothing
TITLES = {"joints": "cosine of the joint maps", "limbs": "cosine of the limb maps"}
SCORED = "mean cosine of the maps"


def compare(tool: Arrays, truth: Arrays) -> dict[str, np.ndarray]:
    """maps float16 (n, 57 or 185, h, w) of both -> `cosine` float32 (n, 19 + 18): limbs, then joints.

    NaN: neither has anything there.
    """
    pairs = zip(split(tool["maps"]), split(truth["maps"]), strict=True)
    return {"cosine": np.concatenate([cosine(a, b) for a, b in pairs], 1).astype(np.float32)}


def split(maps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """maps (n, C, h, w) -> vectors of the limbs (n, 19, 2 h w) and of the joints (n, 18, h w), float32."""
    n = len(maps)
    cells = maps.shape[2] * maps.shape[3]
    limbs, joints = maps[:, :JOINTS].astype(np.float32), maps[:, JOINTS:BACKGROUND].astype(np.float32)
    return limbs.reshape(n, len(LIMBS), 2 * cells), joints.reshape(n, BACKGROUND - JOINTS, cells)


def cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Vectors (..., d) each -> cosine (...); 0 where one of them is empty (below PRESENT), NaN where both are."""
    full_a, full_b = (np.abs(vectors).max(-1) >= PRESENT for vectors in (a, b))
    lengths = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    values = np.divide((a * b).sum(-1), lengths, out=np.zeros_like(lengths), where=full_a & full_b)
    return np.where(full_a | full_b, values, np.nan)


def summary(kept: Arrays) -> dict[str, float]:
    """Mean over the maps of all images."""
    return {"joints": mean(kept["cosine"][:, len(LIMBS) :]), "limbs": mean(kept["cosine"][:, : len(LIMBS)])}


def details(kept: Arrays) -> dict[str, dict[str, float]]:
    """How many maps were compared, and in how many of them one side had nothing."""
    cosine = kept["cosine"]
    sides = {"limbs": cosine[:, : len(LIMBS)], "joints": cosine[:, len(LIMBS) :]}
    counts = {name: ((~np.isnan(maps)).sum(), (maps == 0).sum()) for name, maps in sides.items()}
    return {name: {"maps": float(known), "one_side": float(alone)} for name, (known, alone) in counts.items()}


def score(kept: Arrays) -> np.ndarray:
    """Mean over the image's maps."""
    known = ~np.isnan(kept["cosine"])
    return ratio(np.where(known, kept["cosine"], 0).sum(1), known.sum(1))
