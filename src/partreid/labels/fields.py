"""From 17 keypoints and a person mask to the 36 confidence fields that PifPaf would give.

Geometry. A keypoint's field is 2^-(d/r)^2, d the distance from it; a link's field is the same with d the distance
from the segment between its two keypoints. So it is 1 on the joint or along the limb and 0.5 at distance r: the limb's
half-width, a fixed share of the person's stature (RADIUS). A keypoint below min_score leaves no trace, nor do its
links. With a person mask, all fields of a cell are scaled by one factor so that the strongest equals the mask's
probability: the body is filled to its outline by whatever limb is nearest (in units of its half-width), clothes
included, and nothing lies outside. Cells further than about 2 r from every limb (strongest field below FLOOR) are
left dark: they are someone else.

Coordinates, cells and stature: partreid.labels.geometry. (PifPaf's own cells are centred on multiples of 8 pixels of
the padded image, half a cell off at the border; BPBreID resizes them to the image without regard to that.)
"""

import numpy as np

from partreid.body.skeleton import KEYPOINTS, LINKS
from partreid.labels.geometry import bare, in_statures, squared_distance

FLOOR = 0.05

# half-width of the clothed body, in units of the stature
_KEYPOINT_RADIUS = {
    "nose": 0.06, "eye": 0.06, "ear": 0.06, "shoulder": 0.05, "elbow": 0.045, "wrist": 0.04, "hip": 0.07, "knee": 0.05,
    "ankle": 0.05,
}  # fmt: skip
_LINK_RADIUS = {
    ("ankle", "knee"): 0.045, ("knee", "hip"): 0.06, ("hip", "hip"): 0.07, ("shoulder", "hip"): 0.07,
    ("shoulder", "shoulder"): 0.06, ("shoulder", "elbow"): 0.045, ("elbow", "wrist"): 0.04, ("eye", "eye"): 0.06,
    ("nose", "eye"): 0.06, ("eye", "ear"): 0.06, ("ear", "shoulder"): 0.03,
}  # fmt: skip

RADIUS = np.array(
    [_KEYPOINT_RADIUS[bare(name)] for name in KEYPOINTS] + [_LINK_RADIUS[bare(a), bare(b)] for a, b in LINKS],
    np.float32,
)
"""float32 (36,): where each field has fallen to 0.5, in units of the stature."""


def draw(
    keypoints: np.ndarray,
    sizes: np.ndarray,
    height: int,
    width: int,
    *,
    thickness: float,
    min_score: float,
) -> np.ndarray:
    """The 36 fields without a mask: float32 (n, 36, height, width) in 0..1.

    keypoints: (n, 17, 3), x, y in pixels of the original image and score. sizes: (n, 2), image height and width in
    pixels. thickness multiplies every half-width.
    """
    x, y, joint, _ = in_statures(keypoints, sizes, height, width, min_score)  # (n, w), (n, h), (n, 17, 2)
    a, b = np.array([[KEYPOINTS.index(end) for end in link] for link in LINKS]).T
    # a keypoint is a link of length 0
    start, end = np.concatenate([joint, joint[:, a]], 1), np.concatenate([joint, joint[:, b]], 1)  # (n, 36, 2)
    seen = keypoints[..., 2].astype(np.float32) >= min_score
    seen = np.concatenate([seen, seen[:, a] & seen[:, b]], 1)  # (n, 36)
    radius = thickness * RADIUS[:, None, None]

    result = np.zeros((len(keypoints), len(RADIUS), height, width), np.float32)
    for row in range(len(keypoints)):  # one image at a time stays in the processor's cache
        on = np.flatnonzero(seen[row])
        squares = squared_distance(x[row], y[row], start[row, on], end[row, on])
        result[row, on] = np.exp2(-squares / radius[on] ** 2)
    return result


def fill(fields: np.ndarray, person: np.ndarray) -> np.ndarray:
    """Scale each cell's fields so that the strongest equals the person's probability, as the module's docstring says.

    fields: float32 (n, C, h, w). person: float32 (n, h, w) in 0..1. Returns float32 (n, C, h, w).
    """
    strongest = fields.max(1)
    factor = np.where(strongest >= FLOOR, person / np.maximum(strongest, FLOOR), 0)
    return fields * factor[:, None]
