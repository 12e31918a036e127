"""From 17 keypoints and a person mask to the 36 confidence fields that PifPaf would give.

Geometry. A keypoint's field is 2^-(d/r)^2, d the distance from it; a link's field is the same with d the distance
from the segment between its two keypoints. So it is 1 on the joint or along the limb and 0.5 at distance r: the limb's
half-width, a fixed share of the person's stature (RADIUS). A keypoint below min_score leaves no trace, nor do its
links. With a person mask, all fields of a cell are scaled by one factor so that the strongest equals the mask's
probability: the body is filled to its outline by whatever limb is nearest (in units of its half-width), clothes
included, and nothing lies outside. Cells further than about 2 r from every limb (strongest field below FLOOR) are
left dark: they are someone else.

Cells. A field of h x w cells covers the image's whole extent evenly, like an image resized to h x w: the centre of
cell (i, j) lies at x = (j + 0.5) W / w, y = (i + 0.5) H / h. (PifPaf's own cells are centred on multiples of 8 pixels
of the padded image, half a cell off at the border; BPBreID resizes them to the image without regard to that.)
"""

import numpy as np

from partreid.skeleton import KEYPOINTS, LINKS

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

# two places on the upright body and how much of the stature lies between their heights (D. Winter, Biomechanics and
# Motor Control of Human Movement, "Body segment parameters expressed as a fraction of body height", after Drillis and
# Contini: eyes 0.936, shoulders 0.818, hips 0.530, ankles 0.039)
_STICKS = (
    ("eye", "hip", 0.406), ("eye", "ankle", 0.897), ("shoulder", "hip", 0.288), ("shoulder", "ankle", 0.779),
    ("hip", "ankle", 0.491),
)  # fmt: skip


def _bare(name: str) -> str:
    return name.rpartition("_")[2]


RADIUS = np.array(
    [_KEYPOINT_RADIUS[_bare(name)] for name in KEYPOINTS] + [_LINK_RADIUS[_bare(a), _bare(b)] for a, b in LINKS],
    np.float32,
)
"""float32 (36,): where each field has fallen to 0.5, in units of the stature."""


def stature(keypoints: np.ndarray, heights: np.ndarray, min_score: float) -> np.ndarray:
    """The persons' upright heights in pixels, float32 (n,), from seen keypoints (n, 17, 3).

    The longest of several measures, each a distance between two seen places divided by its share of a stature:
    perspective and bent joints only shorten. Without any measure, and at most 1.5 times, the image's height (n,).
    """
    xy, seen = keypoints[..., :2], keypoints[..., 2] >= min_score
    places = {}
    for name in {place for stick in _STICKS for place in stick[:2]}:
        members = [k for k, other in enumerate(KEYPOINTS) if _bare(other) == name]
        weight = seen[:, members].astype(np.float32)  # (n, 2)
        count = weight.sum(1)
        middle = (xy[:, members] * weight[..., None]).sum(1) / np.maximum(count, 1)[:, None]  # (n, 2)
        places[name] = (middle, count > 0)
    longest = np.zeros(len(keypoints), np.float32)
    for a, b, share in _STICKS:
        (xy_a, seen_a), (xy_b, seen_b) = places[a], places[b]
        length = np.hypot(*(xy_a - xy_b).T) / share
        longest = np.maximum(longest, np.where(seen_a & seen_b, length, 0))
    limit = 1.5 * heights.astype(np.float32)
    return np.where(longest > 0, np.minimum(longest, limit), heights).astype(np.float32)


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
    keypoints = keypoints.astype(np.float32)
    image_h, image_w = sizes[:, :1].astype(np.float32), sizes[:, 1:].astype(np.float32)
    tall = stature(keypoints, image_h[:, 0], min_score)[:, None]  # (n, 1)
    # everything in units of the stature
    x = (np.arange(width, dtype=np.float32) + 0.5) / width * image_w / tall  # (n, w)
    y = (np.arange(height, dtype=np.float32) + 0.5) / height * image_h / tall  # (n, h)
    joint = keypoints[..., :2] / tall[..., None]  # (n, 17, 2)
    a, b = np.array([[KEYPOINTS.index(end) for end in link] for link in LINKS]).T
    # a keypoint is a link of length 0
    start, end = np.concatenate([joint, joint[:, a]], 1), np.concatenate([joint, joint[:, b]], 1)  # (n, 36, 2)
    seen = keypoints[..., 2] >= min_score
    seen = np.concatenate([seen, seen[:, a] & seen[:, b]], 1)  # (n, 36)
    radius = thickness * RADIUS[:, None, None]

    result = np.zeros((len(keypoints), len(RADIUS), height, width), np.float32)
    for row in range(len(keypoints)):  # one image at a time stays in the processor's cache
        on = np.flatnonzero(seen[row])
        squares = _squared_distance(x[row], y[row], start[row, on], end[row, on])
        result[row, on] = np.exp2(-squares / radius[on] ** 2)
    return result


def _squared_distance(x: np.ndarray, y: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """From grid points to segments: x (w,), y (h,), start and end (L, 2) -> (L, h, w)."""
    along = end - start  # (L, 2)
    length2 = np.maximum((along**2).sum(1), 1e-12)
    dx, dy = x - start[:, :1], y - start[:, 1:]  # (L, w), (L, h)
    share_x, share_y = dx * (along[:, :1] / length2[:, None]), dy * (along[:, 1:] / length2[:, None])
    t = (share_y[:, :, None] + share_x[:, None, :]).clip(0, 1)  # (L, h, w), place along the segment
    return (dx[:, None, :] - t * along[:, 0, None, None]) ** 2 + (dy[:, :, None] - t * along[:, 1, None, None]) ** 2


def fill(fields: np.ndarray, person: np.ndarray) -> np.ndarray:
    """Scale each cell's fields so that the strongest equals the person's probability, as the module's docstring says.

    fields: float32 (n, C, h, w). person: float32 (n, h, w) in 0..1. Returns float32 (n, C, h, w).
    """
    strongest = fields.max(1)
    factor = np.where(strongest >= FLOOR, person / np.maximum(strongest, FLOOR), 0)
    return fields * factor[:, None]


def resample(maps: np.ndarray, height: int, width: int) -> np.ndarray:
    """Average maps (n, H, W) over the cells of a grid on the same extent: float32 (n, height, width)."""
    rows, columns = _overlap(maps.shape[1], height), _overlap(maps.shape[2], width)
    return rows @ maps.astype(np.float32) @ columns.T


def _overlap(old: int, new: int) -> np.ndarray:
    """How much of each new cell is each old cell, along one axis: float32 (new, old), rows sum to 1."""
    edges_old, edges_new = np.arange(old + 1) / old, np.arange(new + 1) / new
    low = np.maximum(edges_new[:-1, None], edges_old[None, :-1])
    high = np.minimum(edges_new[1:, None], edges_old[None, 1:])
    return (np.maximum(high - low, 0) * new).astype(np.float32)
