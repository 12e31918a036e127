"""Label `partmaps`: OpenPose's maps of limbs and joints at 20 x 10, for Part-Aligned Bilinear.

Members: `maps` float16 (n, C, 20, 10), channels as in partreid.body.openpose_layout; `status` uint8 (n,) and `score`
float32 (n,) as the tool gave them. Of rows that are not ok maps from keypoints are all zeros; a tool's own are kept.

From a tool that gives `maps`, those as they are: C = 185 with the inner maps, or 57. From keypoints, C = 57, what
OpenPose's network is trained to give (Cao et al., "Realtime Multi-Person 2D Pose Estimation using Part Affinity
Fields", CVPR 2017, Eq. 6-10, and its published training code), with lengths in cells because the network sees every
image at 160 x 80, stride 8:
- A joint's map is exp(-d^2 / (2 sigma^2)), d the distance from it; the background is 1 minus the strongest joint.
  The code's sigma of 7 pixels is 0.875 cells.
- A limb's maps are the unit vector from its first joint to its second where the distance from the segment between them
  is at most `limb_width` (the code's: one cell), and 0 elsewhere. Differs from Eq. 8: the band is rounded off beyond
  the joints instead of cut straight, as otherwise no cell's centre may lie in a short limb; the code widens it too.
- The neck is the middle of the shoulders. A joint below min_score leaves no trace, nor do its limbs.
"""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from partreid.body.openpose_layout import BACKGROUND, CHANNELS, JOINTS, LIMBS
from partreid.body.skeleton import KEYPOINTS
from partreid.labels.geometry import squared_distance
from partreid.labels.reading import read
from partreid.storage import cache
from partreid.storage.pieces import Work

CELLS = (20, 10)  # rows, columns


def build(
    native: cache.Cache, table: pa.Table, *, sigma: float, limb_width: float, min_score: float
) -> tuple[dict[str, Any], Work]:
    """See partreid.labels. sigma, limb_width: in cells; min_score: keypoints below it are not seen."""
    options = {"sigma": sigma, "limb_width": limb_width, "min_score": min_score}
    header = cache.label_header("partmaps", native.header, options)
    if "maps" in native.header["gives"]:
        return header, partial(copy, native.path)
    sizes = np.stack([table["height"].to_numpy(), table["width"].to_numpy()], 1)
    return header, partial(look, native.path, sizes, options)


def copy(native: Path, start: int, stop: int) -> dict[str, np.ndarray]:
    """A tool's own maps of images start..stop-1."""
    names = ("status", "score", "maps")
    return dict(zip(names, read(native, names, start, stop), strict=True))


def look(native: Path, sizes: np.ndarray, options: dict[str, float], start: int, stop: int) -> dict[str, np.ndarray]:
    """Maps of images start..stop-1 from keypoints. sizes: (N, 2), height and width in pixels; options as in build."""
    status, score, keypoints = read(native, ("status", "score", "keypoints"), start, stop)
    maps = make(keypoints, sizes[start:stop], **options)
    maps[status != cache.OK] = 0
    return {"status": status, "score": score, "maps": maps}


def make(keypoints: np.ndarray, sizes: np.ndarray, *, sigma: float, limb_width: float, min_score: float) -> np.ndarray:
    """keypoints (n, 17, 3), sizes (n, 2): height and width in pixels -> maps float16 (n, 57, 20, 10)."""
    places, seen = joints(keypoints, min_score)
    places = places * (np.array(CELLS[::-1]) / sizes[:, None, ::-1])  # (n, 18, 2), in cells
    x, y = np.arange(CELLS[1]) + 0.5, np.arange(CELLS[0]) + 0.5
    first, second = np.array([[JOINTS.index(end) for end in limb] for limb in LIMBS]).T
    maps = np.zeros((len(keypoints), CHANNELS, *CELLS))
    for row, (place, on) in enumerate(zip(places, seen, strict=True)):
        limbs = on[first] & on[second]
        start, along = place[first], place[second] - place[first]
        unit = along / np.maximum(np.hypot(*along.T), 1e-9)[:, None]  # (19, 2); 0 where the joints coincide
        near = squared_distance(x, y, start, start + along) <= limb_width**2  # (19, 20, 10)
        near &= limbs[:, None, None]
        maps[row, : 2 * len(LIMBS)] = (near[:, None] * unit[..., None, None]).reshape(-1, *CELLS)
        squares = squared_distance(x, y, place, place)  # (18, 20, 10)
        maps[row, 2 * len(LIMBS) : BACKGROUND] = np.exp(-squares / (2 * sigma**2)) * on[:, None, None]
    maps[:, BACKGROUND] = 1 - maps[:, 2 * len(LIMBS) : BACKGROUND].max(1)
    return maps.astype(np.float16)


def joints(keypoints: np.ndarray, min_score: float) -> tuple[np.ndarray, np.ndarray]:
    """COCO's keypoints (n, 17, 3) as OpenPose's joints: x, y float64 (n, 18, 2) and whether seen, bool (n, 18)."""
    shoulders = [KEYPOINTS.index("left_shoulder"), KEYPOINTS.index("right_shoulder")]
    places, seen = keypoints[..., :2].astype(np.float64), keypoints[..., 2] >= min_score
    places = np.concatenate([places, places[:, shoulders].mean(1, keepdims=True)], 1)
    seen = np.concatenate([seen, seen[:, shoulders].all(1, keepdims=True)], 1)
    order = [(*KEYPOINTS, "neck").index(joint) for joint in JOINTS]
    return places[:, order], seen[:, order]
