"""One function per label: the values of one image -> its pictures, by caption. The image itself is not among them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from partreid.body.openpose_layout import BACKGROUND, CHANNELS, LIMBS
from partreid.body.parsing import PARSING
from partreid.drawing import label_marks
from partreid.drawing.colours import PART_COLOURS, SIDE_COLOURS, side
from partreid.labels import grouping

Values = Mapping[str, np.ndarray]  # member of the label's cache -> the image's row of it
Pictures = dict[str, np.ndarray]


def heads(image: np.ndarray, values: Values, **_: Any) -> Pictures:
    """The box over the image, and what is inside it."""
    corners = np.array([values[name] for name in ("x0", "y0", "x1", "y1")], np.float64)
    shown = label_marks.panel(image)
    if np.isnan(corners).any():
        return {"box": shown, "head": label_marks.blank(label_marks.HEIGHT, label_marks.HEIGHT // 2, "no head found")}
    scale = np.array([shown.shape[1] / image.shape[1], shown.shape[0] / image.shape[0]] * 2)
    drawn = label_marks.box(shown, corners * scale, PART_COLOURS["head"])
    return {"box": drawn, "head": label_marks.cut(image, corners, label_marks.HEIGHT, label_marks.HEIGHT // 2)}


def pifpaf(image: np.ndarray, values: Values, *, parts: int | str, **_: Any) -> Pictures:
    """The strongest joint field, the strongest limb field, and the parts of one grouping."""
    fields = values["fields"].astype(np.float32) / 255  # (36, h, w)
    maps = grouping.group(torch.from_numpy(fields), parts).numpy()
    shown = label_marks.panel(image)
    return {
        "joints": label_marks.heat(shown, fields[:17].max(0)),
        "limbs": label_marks.heat(shown, fields[17:].max(0)),
        "parts": label_marks.parts(shown, maps, grouping.names(parts)),
    }


def schp(image: np.ndarray, values: Values, **_: Any) -> Pictures:
    """The classes, and the person's probability."""
    shown = label_marks.panel(image)
    return {
        "parsing": label_marks.classes(shown, values["parsing"], PARSING[1:]),
        "person": label_marks.heat(shown, values["person"].astype(np.float32) / 255),
    }


def pseudo_parts(image: np.ndarray, values: Values, **_: Any) -> Pictures:
    """The clusters."""
    return {"parts": label_marks.numbered(label_marks.panel(image), values["maps"])}


def poses(image: np.ndarray, values: Values, *, header: Mapping[str, Any], **_: Any) -> Pictures:
    """The skeleton, and the centre of the image's cluster, whose sides are those of the image, not the person's."""
    shown = label_marks.panel(image)
    scale = np.array([shown.shape[1] / image.shape[1], shown.shape[0] / image.shape[0], 1])
    skeleton = label_marks.skeleton(shown, values["keypoints"] * scale, header["parameters"]["min_score"])
    return {"skeleton": skeleton, cluster(values)[0]: centre(np.array(header["centres"][int(values["cluster"])]))}


def centre(points: np.ndarray) -> np.ndarray:
    """The centre of a pose cluster: (17, 2), from the trunk's middle, in statures (partreid.labels.poses)."""
    height, width = label_marks.HEIGHT, label_marks.HEIGHT // 2
    places = points * (0.85 * height) + [width / 2, 0.42 * height]
    stick = np.concatenate([places, np.ones((len(places), 1))], 1)
    plain = {**dict.fromkeys(SIDE_COLOURS, (255, 255, 255)), "middle": (120, 124, 132)}  # so that the nose is seen
    return label_marks.skeleton(label_marks.blank(height, width), stick, 0.5, plain)


def cluster(values: Values) -> tuple[str, ...]:
    """Which cluster it is, in words."""
    return (f"cluster {int(values['cluster'])}",)


def partmaps(image: np.ndarray, values: Values, **_: Any) -> Pictures:
    """The strongest joint, the longest limb vector and its direction, and the mean of the inner maps, if any."""
    maps = values["maps"].astype(np.float32)  # (57 or 185, h, w)
    joints = maps[2 * len(LIMBS) : BACKGROUND]
    limbs = maps[: 2 * len(LIMBS)].reshape(len(LIMBS), 2, *maps.shape[1:])
    shown = label_marks.panel(image)
    pictures = {
        "joints": label_marks.heat(shown, joints.max(0)),
        "limbs": label_marks.heat(shown, np.hypot(limbs[:, 0], limbs[:, 1]).max(0)),
        "directions": label_marks.arrows(shown, limbs, [side(*limb) for limb in LIMBS]),
    }
    if len(maps) > CHANNELS:
        inner = np.abs(maps[CHANNELS:]).mean(0)
        pictures["inner"] = label_marks.heat(shown, inner / max(float(inner.max()), 1e-6))
    return pictures
