"""Label `schp`: which body part every cell shows, and how probably it shows the person; for MPN and FSAM.

Members: `parsing` uint8 (n, height, width), the seven classes of partreid.body.parsing; `person` uint8, of the same
shape, 255 times the probability; `status` uint8 (n,) and `score` float32 (n,) as the tool gave them, except that
`status` is the worse of two where `person` comes from a second tool. Rows that are not ok are all zeros.

From a tool that gives `parsing`, that, resized. From keypoints and a person mask (partreid.labels.geometry): a cell in
the mask (probability at least 0.5) has the class of the nearest part, nearest in units of the part's half-width
(RADIUS, shares of the stature), clothes included. The parts:

    head         a disc around the middle of the head, and the neck: from there NECK of the way to the shoulders
    torso        between shoulders and hips, along the sides and crosswise, as if nowhere nearer than OVER half-widths,
                 so that an arm in front of it is seen, but not an arm behind it, whose joints a tool marks as unseen
    upper_arms   from shoulder to elbow                     lower_arms   from elbow to wrist
    upper_legs   from hip to knee, but only beyond CROTCH of this way, because the torso reaches down to the crotch
    lower_legs   from knee to ankle

Cells further than REACH half-widths from every part are someone else: background. Constants were fitted to the training
half of the rendered people.
"""

from functools import partial
from itertools import combinations_with_replacement
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from partreid.body.parsing import PARSING
from partreid.body.skeleton import KEYPOINTS
from partreid.labels.geometry import in_statures, majority, middle, resample, squared_distance
from partreid.labels.heads import face
from partreid.labels.reading import read
from partreid.storage import cache
from partreid.storage.pieces import Work

RADIUS = {
    "head": 0.1, "neck": 0.03, "torso": 0.07, "upper_arms": 0.05, "lower_arms": 0.05, "upper_legs": 0.05,
    "lower_legs": 0.04,
}  # fmt: skip
NECK, OVER, CROTCH, REACH = 0.6, 0.7, 0.35, 4.0
# around a bent elbow, whole wedges of cells are equally near to both arms, but for rounding: the upper one takes them
_ORDER = (1 + 1e-4 * np.arange(len(PARSING), dtype=np.float32))[:, None, None]
HALF = 128  # of 255: the probability from which on a cell belongs to the person
LIMBS = (
    ("upper_arms", "shoulder", "elbow"), ("lower_arms", "elbow", "wrist"), ("upper_legs", "hip", "knee"),
    ("lower_legs", "knee", "ankle"),
)  # fmt: skip
TRUNK = tuple(KEYPOINTS.index(name) for name in ("left_shoulder", "right_shoulder", "left_hip", "right_hip"))


def build(
    native: cache.Cache,
    table: pa.Table,
    *,
    person: cache.Cache,
    height: int,
    width: int,
    thickness: float,
    min_score: float,
) -> tuple[dict[str, Any], Work]:
    """See partreid.labels. person: output of the tool whose person mask is taken, the label's own or another.

    height, width: cells of the maps. thickness multiplies every half-width except the torso's, so that limbs grow over
    it. min_score: keypoints below it are not seen.
    """
    options = {"height": height, "width": width, "thickness": thickness, "min_score": min_score}
    header = cache.label_header("schp", native.header, options)
    header["person"] = {key: person.header[key] for key in ("tool", "tool_version", "weights", "parameters")}
    sizes = np.stack([table["height"].to_numpy(), table["width"].to_numpy()], 1)
    parsed = "parsing" in native.header["gives"]
    return header, partial(look, native.path, person.path, parsed, sizes, options)


def look(
    native: Path, other: Path, parsed: bool, sizes: np.ndarray, options: dict[str, Any], start: int, stop: int
) -> dict[str, np.ndarray]:
    """Maps of images start..stop-1. other: the tool output that `person` is from. parsed: take the tool's `parsing`."""
    height, width = options["height"], options["width"]
    status, score = read(native, ("status", "score"), start, stop)
    person, status_there = read(other, ("person", "status"), start, stop)
    status = np.maximum(status, status_there)  # ok, missing, failed
    if parsed:
        (classes,) = read(native, ("parsing",), start, stop)
        parsing = majority(classes, len(PARSING), height, width)
        person = np.rint(resample(person, height, width)).astype(np.uint8)
    else:
        (keypoints,) = read(native, ("keypoints",), start, stop)
        parsing, person = make(keypoints, person, sizes[start:stop], **options)
    parsing[status != cache.OK] = 0
    person[status != cache.OK] = 0
    return {"status": status, "score": score, "parsing": parsing, "person": person}


def make(
    keypoints: np.ndarray,
    person: np.ndarray,
    sizes: np.ndarray,
    *,
    height: int,
    width: int,
    thickness: float,
    min_score: float,
) -> tuple[np.ndarray, np.ndarray]:
    """keypoints (n, 17, 3), person uint8 (n, H', W'), sizes (n, 2) -> parsing and person, uint8 (n, height, width)."""
    mask = np.rint(resample(person, height, width)).astype(np.uint8)
    parts = nearest(keypoints, sizes, height, width, thickness=thickness, min_score=min_score)
    return np.where(mask >= HALF, parts, 0).astype(np.uint8), mask


def nearest(
    keypoints: np.ndarray,
    sizes: np.ndarray,
    height: int,
    width: int,
    *,
    thickness: float,
    min_score: float,
) -> np.ndarray:
    """The class of the nearest part of every cell, mask or not; 0 beyond REACH: uint8 (n, height, width)."""
    keypoints = keypoints.astype(np.float32)
    x, y, joint, tall = in_statures(keypoints, sizes, height, width, min_score)  # (n, w), (n, h), (n, 17, 2), (n, 1)
    seen = keypoints[..., 2] >= min_score  # (n, 17)
    ears, head = face(keypoints, min_score)
    shoulders, neck = middle(keypoints, "shoulder", min_score)
    ears, shoulders = ears / tall, shoulders / tall

    result = np.zeros((len(keypoints), height, width), np.uint8)
    for row in range(len(keypoints)):
        near = np.full((len(PARSING), height, width), np.inf, np.float32)  # squared, in half-widths
        near[0] = REACH**2
        segments = _bones(joint[row], seen[row])
        if head[row]:
            segments.append(("head", "head", ears[row], ears[row]))
        if head[row] and neck[row]:
            segments.append(("head", "neck", ears[row], ears[row] + NECK * (shoulders[row] - ears[row])))
        if segments:
            starts, ends = (np.stack([segment[i] for segment in segments]) for i in (2, 3))
            squares = squared_distance(x[row], y[row], starts, ends)  # (L, h, w)
            for (name, part, start, end), square in zip(segments, squares, strict=True):
                if part == "upper_legs":
                    square[~_beyond(x[row], y[row], start, end)] = np.inf
                c, radius = PARSING.index(name), RADIUS[part] * (1 if part == "torso" else thickness)
                np.minimum(near[c], square / radius**2, out=near[c])
        torso = near[PARSING.index("torso")]
        np.maximum(torso, OVER**2, out=torso)
        result[row] = (near * _ORDER).argmin(0)
    return result


def _bones(joint: np.ndarray, seen: np.ndarray) -> list[tuple[str, str, np.ndarray, np.ndarray]]:
    """Class, part and ends of the segments below the neck with both ends seen. joint (17, 2), seen bool (17,)."""
    pairs = [("torso", a, b) for a, b in combinations_with_replacement(TRUNK, 2)]
    for part, upper, lower in LIMBS:
        for side in ("left", "right"):
            pairs.append((part, KEYPOINTS.index(f"{side}_{upper}"), KEYPOINTS.index(f"{side}_{lower}")))
    return [(part, part, joint[a], joint[b]) for part, a, b in pairs if seen[a] and seen[b]]


def _beyond(x: np.ndarray, y: np.ndarray, hip: np.ndarray, knee: np.ndarray) -> np.ndarray:
    """Grid points x (w,), y (h,) that lie further along the thigh than CROTCH: bool (h, w)."""
    along = knee - hip
    crotch = hip + CROTCH * along
    return (y[:, None] - crotch[1]) * along[1] + (x - crotch[0]) * along[0] >= 0
