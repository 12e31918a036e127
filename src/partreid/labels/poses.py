"""Label `poses`: keypoints, and which of three typical poses they are nearest to, for FSAM.

Members: `keypoints` float32 (n, 17, 3), x, y in pixels of the original image and score, as the tool gave them (zeros
where status is not ok); `cluster` int8 (n,); `score` and `status` as the tool gave them. The header has the clusters'
centres, `centres`: clusters x 17 x 2, in the coordinates described here.

Hong et al., "Fine-Grained Shape-Appearance Mutual Learning for Cloth-Changing Person Re-Identification", CVPR 2021,
section 3.2: k-means (k = 3) on the keypoints' coordinates; the clusters turn out to be views. The paper does not say
how coordinates are normalised, what becomes of failed detections, nor what of mirrored images. Here:

Coordinates. The origin is the middle of the trunk (mean of shoulders and hips), the unit the stature
(partreid.labels.geometry). The two of a pair are named by their side in the image, not by the body's: the clusters
choose a network for masks, which show no difference between a left arm and a right one, and so front and back, whose
masks are alike, fall together. A pair counts where both are seen (score at least min_score), the nose where it is.

Clusters. k-means of that half of the training images with the better scores (of all images, where none is in split
`train`; false detections make a cluster of their own), and of their mirror images, so that the centres are mirror
images of each other: cluster c of an image is cluster `mirrored(c)` = k - 1 - c of the mirrored one. Numbers grow with
the place of the nose: 0 looks to the image's left, the middle one (odd k) is front and back, k - 1 looks to the right.
An image belongs to the centre with the smallest mean squared distance over the points that count.

Images without any (missing, failed, no trunk) are of the middle cluster, k // 2, which a mirror keeps where k is odd.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from partreid.errors import UserError
from partreid.labels import kmeans
from partreid.labels.geometry import TRUNK, middle, stature
from partreid.labels.reading import read
from partreid.storage import cache
from partreid.storage.pieces import Work

LEFT, RIGHT = slice(1, None, 2), slice(2, None, 2)  # of partreid.body.skeleton.KEYPOINTS, after the nose
DIGITS = 6  # of the centres in the header


def build(native: cache.Cache, table: pa.Table, *, clusters: int, min_score: float) -> tuple[dict[str, Any], Work]:
    """See partreid.labels. clusters: how many, 1 to 9; min_score: keypoints below it are not seen.

    Where nobody is found in any training image the centres are all zeros.
    """
    if not 1 <= clusters <= 9:
        raise UserError(f"labels.poses.clusters is {clusters}, expected 1 to 9")
    heights = table["height"].to_numpy()
    rows = typical(native.status, native.rows("score", np.arange(len(table))), table["split"].to_pylist())
    points, counts = normalise(native.rows("keypoints", rows), heights[rows], min_score)
    points, counts = points[counts.any(1)], counts[counts.any(1)]
    centres = kmeans.fit(points, counts, clusters).round(DIGITS) if len(points) else np.zeros((clusters, 17, 2))
    header = cache.label_header("poses", native.header, {"clusters": clusters, "min_score": min_score})
    header["centres"] = centres.tolist()
    return header, partial(look, native.path, heights, centres, min_score)


def nobody(header: Mapping[str, Any]) -> dict[str, float]:
    """The members of an image without anybody, see partreid.labels.base."""
    return {"cluster": len(header["centres"]) // 2}


def typical(status: np.ndarray, score: np.ndarray, split: Sequence[str]) -> np.ndarray:
    """The images, by number, that the clusters are found on; see the module's docstring. All arguments: (N,)."""
    found = status == cache.OK
    train = found & (np.array(split) == "train")
    rows = np.flatnonzero(train if train.any() else found)
    return rows[score[rows] >= np.median(score[rows])] if len(rows) else rows


def look(
    native: Path, heights: np.ndarray, centres: np.ndarray, min_score: float, start: int, stop: int
) -> dict[str, np.ndarray]:
    """Poses of images start..stop-1. heights: (N,), of the images in pixels; centres: (k, 17, 2)."""
    status, score, keypoints = read(native, ("status", "score", "keypoints"), start, stop)
    keypoints = np.where((status == cache.OK)[:, None, None], keypoints, 0)
    points, counts = normalise(keypoints, heights[start:stop], min_score)
    cluster = assign(points, counts & (status == cache.OK)[:, None], centres)
    return {"status": status, "score": score, "keypoints": keypoints, "cluster": cluster}


def normalise(keypoints: np.ndarray, heights: np.ndarray, min_score: float) -> tuple[np.ndarray, np.ndarray]:
    """keypoints (n, 17, 3), image heights (n,) -> float64 (n, 17, 2) and which points count, bool (n, 17).

    The module's docstring says how; "left" then is the image's right, as of a person seen from the front. Without a
    trunk (neither shoulder nor hip seen) no point counts.
    """
    keypoints = keypoints.astype(np.float32)
    tall = stature(keypoints, heights, min_score)[:, None]
    shoulders, upper = middle(keypoints, "shoulder", min_score)
    hips, lower = middle(keypoints, "hip", min_score)
    down = np.array([0, TRUNK], np.float32) * tall
    shoulders, hips = (
        np.where(upper[:, None], shoulders, hips - down),
        np.where(lower[:, None], hips, shoulders + down),
    )
    points = (keypoints[..., :2] - (shoulders + hips)[:, None] / 2) / tall[..., None]

    counts = keypoints[..., 2] >= min_score
    both = counts[:, LEFT] & counts[:, RIGHT]
    counts[:, LEFT], counts[:, RIGHT] = both, both
    counts &= (upper | lower)[:, None]
    left, right = points[:, LEFT], points[:, RIGHT]
    crossed = left[..., :1] < right[..., :1]
    named = points.astype(np.float64)
    named[:, LEFT], named[:, RIGHT] = np.where(crossed, right, left), np.where(crossed, left, right)
    return named, counts


def assign(points: np.ndarray, counts: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """The nearest centre (k, 17, 2) of points (n, 17, 2) that count (n, 17): int8 (n,); the middle one without any."""
    nearest = kmeans.distances(points, counts, centres).argmin(1)
    return np.where(counts.any(1), nearest, len(centres) // 2).astype(np.int8)


def mirrored(cluster: np.ndarray | int, clusters: int) -> np.ndarray | int:
    """The cluster of the horizontally flipped image; clusters: how many there are."""
    return clusters - 1 - cluster
