"""OpenPose's maps, computed elsewhere, one file per image: `x.npy`, `x.npz`, `x.float` or `x_pose_heatmaps.float`.

.npy and .npz (one member, or one called `maps`): float (C, h, w) or (h, w, C) over the image's extent. .float: what
OpenPose itself writes with `--write_heatmaps FOLDER --write_heatmaps_format float --heatmaps_scale 3 --model_pose COCO
--heatmaps_add_parts --heatmaps_add_bkg --heatmaps_add_PAFs`: the number of dimensions, the dimensions, the values, all
float32 of the machine.

order: of the channels.
    paper     38 limb, 19 joint (the last is background), and with C = 185 128 inner ones, as in Part-Aligned Bilinear
    openpose  19 joint, 38 limb, as OpenPose writes them; C = 57. The maps may have a border on the right or below,
              where the network's input had another aspect than the image (doc/advanced/heatmap_output.md)
Joints and limbs are in the order of OpenPose's COCO network in both.

scale: the number given to OpenPose's `--heatmaps_scale`, to be undone; 3, none, is the exact one and the only one that
order `paper` can have. A file whose values do not look like that is damaged.

`maps`, float16 (C, 20, 10), are means over cells. `score` and `missing` as in tool `openpose`. All files have as many
channels as the first one. Keypoints are not made from them, for the reason that tool `openpose` gives.
"""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from partreid.errors import UserError, choose
from partreid.labels import geometry
from partreid.storage import cache
from partreid.storage.pieces import Work
from partreid.tools import imported
from partreid.tools.base import Images
from partreid.tools.openpose import MIN_JOINTS, MIN_PEAK, judge

VERSION = "2"  # raise when the output changes
GIVES = ("maps",)
TOOL = "openpose_files"
ENDINGS = ("_pose_heatmaps.float", ".float", ".npz", ".npy")
LARGEST = 1e4  # of any value; inner channels are a network's features, which float16 has to hold
CELLS = (20, 10)  # rows, columns of the output
LIMBS, JOINTS = slice(0, 38), slice(38, 56)  # channels of order `paper`; 56 is the background
ORDERS: dict[str, tuple[int, ...]] = {"paper": (57, 185), "openpose": (57,)}  # order -> possible numbers of channels
BACKGROUND = {"paper": 56, "openpose": 18}  # order -> its channel

Change = Callable[[np.ndarray], np.ndarray]


def _same(values: np.ndarray) -> np.ndarray:
    return values


# --heatmaps_scale -> how to undo it for joints and background, which are 0..1, and for limbs, which are -1..1
# (OpenPose, poseExtractorNet.cpp, getHeatMapsCopy)
SCALES: dict[int, tuple[Change, Change]] = {
    0: (lambda v: (v + 1) / 2, _same),
    1: (_same, lambda v: 2 * v - 1),
    2: (lambda v: v / 255, lambda v: (v - 128.5) / 128.5),
    3: (_same, _same),
}


def build(images: Images, *, folders: dict[str, Any], order: str, scale: int) -> tuple[dict[str, Any], Work]:
    """See partreid.tools. folders: data set -> folder with its files, at any depth, or split -> folder.

    order, scale: see above.
    """
    choose(ORDERS, order, "order (tools.openpose_files.order)")
    if scale not in SCALES or (order == "paper" and scale != 3):
        expected = "3 for order paper" if order == "paper" else "0, 1, 2 or 3"
        raise UserError(f"tools.openpose_files.scale is {scale}, expected {expected}")
    source = imported.find(images, TOOL, folders, ENDINGS)
    found = imported.first(source, images, partial(read, order, scale, None), TOOL)
    channels = len(found["maps"]) if found else 57
    parameters = {
        "order": order, "scale": scale, "channels": channels, "min_peak": MIN_PEAK, "min_joints": MIN_JOINTS
    }  # fmt: skip
    head = cache.header(f"tool/{TOOL}", TOOL, VERSION, None, parameters, images.sha256)
    blank = {"maps": np.zeros((channels, *CELLS), np.float16)}
    return imported.build(head, source, images, partial(read, order, scale, channels), blank)


def read(order: str, scale: int, channels: int | None, file: Path, height: int, width: int) -> Mapping[str, Any]:
    """Status, score and maps of one image of height x width pixels. See imported.Read."""
    maps = channels_first(floats(file) if file.suffix == ".float" else imported.numbers(file, "maps"))
    if len(maps) not in ORDERS[order] or (channels is not None and len(maps) != channels):
        expected = channels or " or ".join(map(str, ORDERS[order]))
        raise ValueError(f"it has {len(maps)} channels, expected {expected} in order {order!r}")
    check_order(maps, order)
    if order == "openpose":
        maps = np.concatenate([maps[19:], maps[:19]])
        scale_of_image = min(maps.shape[1] / height, maps.shape[2] / width)
        rows, columns = (max(1, round(side * scale_of_image)) for side in (height, width))
        maps = maps[:, :rows, :columns]
    small = geometry.resample(undo(maps, scale), *CELLS)
    status, score = judge(small[None])
    return {"status": status[0], "score": score[0], "maps": small.astype(np.float16)}


def check_order(maps: np.ndarray, order: str) -> None:
    """ValueError when maps (C, h, w) look like the other order: the background's median is the highest of all."""
    here, there = (float(np.median(maps[BACKGROUND[name]])) for name in (order, *(ORDERS.keys() - {order})))
    if there > here + 0.3:
        raise ValueError(f"its background is not channel {BACKGROUND[order]}; is tools.openpose_files.order right?")


def undo(maps: np.ndarray, scale: int) -> np.ndarray:
    """Maps (C, h, w) in order `paper` without OpenPose's scaling. ValueError when they do not look like that.

    Most of an image is neither joint nor limb, so the medians of their maps are about 0.
    """
    joint, limb = SCALES[scale]
    result = np.concatenate([limb(maps[LIMBS]), joint(maps[38:57]), maps[57:]])
    middle = max(abs(float(np.median(result[part]))) for part in (LIMBS, JOINTS))
    if middle > 0.2 or result[JOINTS].max() > 2 or np.abs(result).max() > LARGEST:
        raise ValueError(
            "its joint or limb maps are far from 0 where nothing is, or far above 1; is tools.openpose_files.scale the "
            "number given to --heatmaps_scale?"
        )
    return result


def channels_first(array: np.ndarray) -> np.ndarray:
    """An array (C, h, w), (h, w, C), either with a leading 1, as float32 (C, h, w), C = 57 or 185."""
    shape = array.shape
    if array.ndim == 4 and shape[0] == 1:
        array = array[0]
    known = ORDERS["paper"]
    if array.ndim == 3 and array.shape[0] not in known and array.shape[2] in known:
        array = array.transpose(2, 0, 1)
    if array.ndim != 3 or array.shape[0] not in known or 0 in array.shape:
        raise ValueError(
            f"its shape is {shape}, expected (57 or 185, h, w) or (h, w, 57 or 185); of OpenPose's own models only the "
            "one of --model_pose COCO has these channels"
        )
    return array.astype(np.float32)


def floats(file: Path) -> np.ndarray:
    """The array in a file that OpenPose wrote with `--write_heatmaps_format float`."""
    values = np.fromfile(file, np.float32)
    dimensions = int(values[0]) if len(values) and 1 <= values[0] <= 4 else 0
    shape = values[1 : 1 + dimensions]
    body = values[1 + dimensions :]
    if not dimensions or not np.isfinite(values).all() or np.prod(shape) != len(body):
        raise ValueError("it is not what OpenPose writes, or it is cut")
    return body.reshape(shape.astype(np.int64))
