"""Where the body is, from 17 keypoints and a person mask: what all labels made from keypoints share.

Coordinates. Keypoints and boxes are in pixels of the original image: x right, y down, origin at the corner of the
top-left pixel. Maps of h x w cells cover the image's whole extent evenly, whatever their size, like an image resized to
h x w: the centre of cell (i, j) lies at x = (j + 0.5) W / w, y = (i + 0.5) H / h.

Size. Lengths on the body are fixed shares of the person's stature, the upright height in pixels, which is estimated
from whatever keypoints are seen. So a label does not depend on the image's resolution.

Seen. A keypoint with a score of at least min_score is seen; others leave no trace. Keypoints outside the image count
like any other: what they draw is cut off at the border.

Left and right are the person's own (partreid.body.skeleton). Nothing here prefers one side: the label of the mirrored
image is the mirrored label, with left and right exchanged.
"""

import numpy as np

from partreid.body.skeleton import KEYPOINTS

TRUNK = 0.288
"""How far the hips are below the shoulders, as a share of the stature."""

# two places on the upright body and how much of the stature lies between their heights (D. Winter, Biomechanics and
# Motor Control of Human Movement, "Body segment parameters expressed as a fraction of body height", after Drillis and
# Contini: eyes 0.936, shoulders 0.818, hips 0.530, ankles 0.039)
_STICKS = (
    ("eye", "hip", 0.406), ("eye", "ankle", 0.897), ("shoulder", "hip", TRUNK), ("shoulder", "ankle", 0.779),
    ("hip", "ankle", 0.491),
)  # fmt: skip


def bare(name: str) -> str:
    """A keypoint's name without its side: "left_knee" -> "knee"."""
    return name.rpartition("_")[2]


def middle(keypoints: np.ndarray, name: str, min_score: float) -> tuple[np.ndarray, np.ndarray]:
    """The middle of those keypoints called `name` (without side) that are seen: (n, 2), and whether any is: bool (n,).

    keypoints: float32 (n, 17, 3).
    """
    members = [k for k, other in enumerate(KEYPOINTS) if bare(other) == name]
    weight = (keypoints[:, members, 2] >= min_score).astype(np.float32)  # (n, 1 or 2)
    count = weight.sum(1)
    return (keypoints[:, members, :2] * weight[..., None]).sum(1) / np.maximum(count, 1)[:, None], count > 0


def stature(keypoints: np.ndarray, heights: np.ndarray, min_score: float) -> np.ndarray:
    """The persons' upright heights in pixels, float32 (n,), from seen keypoints (n, 17, 3).

    The longest of several measures, each a distance between two seen places divided by its share of a stature:
    perspective and bent joints only shorten. Without any measure, and at most 1.5 times, the image's height (n,).
    """
    places = {name: middle(keypoints, name, min_score) for name in {place for stick in _STICKS for place in stick[:2]}}
    longest = np.zeros(len(keypoints), np.float32)
    for a, b, share in _STICKS:
        (xy_a, seen_a), (xy_b, seen_b) = places[a], places[b]
        length = np.hypot(*(xy_a - xy_b).T) / share
        longest = np.maximum(longest, np.where(seen_a & seen_b, length, 0))
    limit = 1.5 * heights.astype(np.float32)
    return np.where(longest > 0, np.minimum(longest, limit), heights).astype(np.float32)


def centres(cells: int, extent: np.ndarray | float) -> np.ndarray:
    """Where the centres of cells lie along one axis: float32 (..., cells); extent (...) is the image's, in pixels."""
    share = (np.arange(cells, dtype=np.float32) + 0.5) / cells
    return share * np.asarray(extent, np.float32)[..., None]


def in_statures(
    keypoints: np.ndarray, sizes: np.ndarray, height: int, width: int, min_score: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Cells and joints in units of each person's stature: x (n, width) and y (n, height) of the centres of cells.

    Then the joints (n, 17, 2), and the stature itself in pixels (n, 1). keypoints: (n, 17, 3). sizes: (n, 2), height
    and width of the images in pixels.
    """
    keypoints = keypoints.astype(np.float32)
    tall = stature(keypoints, sizes[:, 0], min_score)[:, None]
    x, y = centres(width, sizes[:, 1]) / tall, centres(height, sizes[:, 0]) / tall
    return x, y, keypoints[..., :2] / tall[..., None], tall


def squared_distance(x: np.ndarray, y: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """From grid points to segments: x (w,), y (h,), start and end (L, 2) -> (L, h, w)."""
    along = end - start  # (L, 2)
    length2 = np.maximum((along**2).sum(1), 1e-12)
    dx, dy = x - start[:, :1], y - start[:, 1:]  # (L, w), (L, h)
    share_x, share_y = dx * (along[:, :1] / length2[:, None]), dy * (along[:, 1:] / length2[:, None])
    t = (share_y[:, :, None] + share_x[:, None, :]).clip(0, 1)  # (L, h, w), place along the segment
    return (dx[:, None, :] - t * along[:, 0, None, None]) ** 2 + (dy[:, :, None] - t * along[:, 1, None, None]) ** 2


def resample(maps: np.ndarray, height: int, width: int) -> np.ndarray:
    """Average maps (n, H, W) over the cells of a grid on the same extent: float32 (n, height, width)."""
    if maps.shape[1:] == (height, width):
        return maps.astype(np.float32)
    rows, columns = _overlap(maps.shape[1], height), _overlap(maps.shape[2], width)
    return rows @ maps.astype(np.float32) @ columns.T


def _overlap(old: int, new: int) -> np.ndarray:
    """How much of each new cell is each old cell, along one axis: float32 (new, old), rows sum to 1."""
    edges_old, edges_new = np.arange(old + 1) / old, np.arange(new + 1) / new
    low = np.maximum(edges_new[:-1, None], edges_old[None, :-1])
    high = np.minimum(edges_new[1:, None], edges_old[None, 1:])
    return (np.maximum(high - low, 0) * new).astype(np.float32)


def majority(classes: np.ndarray, number: int, height: int, width: int) -> np.ndarray:
    """Class maps (n, H, W) on another grid of the same extent: uint8 (n, height, width).

    Every cell takes the class, of 0..number-1, that covers most of it; the lowest of equals.
    """
    if classes.shape[1:] == (height, width):
        return classes.astype(np.uint8)
    shares = np.stack([resample(classes == c, height, width) for c in range(number)], 1)
    return shares.round(4).argmax(1).astype(np.uint8)  # rounded: equals differ in the last digit
