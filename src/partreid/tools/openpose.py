"""OpenPose: the maps that Part-Aligned Bilinear takes from the pose network (partreid.backbones.openpose), 20 x 10.

Suh et al., "Part-Aligned Bilinear Representations for Person Re-identification", ECCV 2018: the COCO network up to its
second stage, on images of 160 x 80. `maps`, float16: 38 limb, 19 joint and 128 inner channels, over the image's extent.
No keypoints: the maps' grid is too coarse for them, and the second of six stages is still unsure.

The weights have to be downloaded by hand (partreid.storage.published_weights); their licence allows no commercial use.

A joint is seen when its map somewhere exceeds MIN_PEAK. As in OpenPose's own assembling, somebody with fewer than
MIN_JOINTS joints is nobody: `missing`. The maps are the network's all the same, which Part-Aligned Bilinear takes
without asking what was found. `score` is the mean of the highest values of the maps of the joints that are
seen, which is not a calibrated probability.
"""

from __future__ import annotations

from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from partreid.errors import UserError
from partreid.storage import cache, published_weights
from partreid.storage.files import sha256
from partreid.storage.pieces import Work
from partreid.tools.base import Images
from partreid.tools.networks import batches, ready
from partreid.tools.reading import read_original

if TYPE_CHECKING:
    from partreid.backbones.openpose import OpenPose

VERSION = "2"  # raise when the output changes
GIVES = ("maps",)
INPUT = (160, 80)  # rows, columns of the network's input
SHAPE = (185, 20, 10)  # of an image's maps, at stride 8
STAGES = 2
JOINTS = slice(38, 56)  # the joints' channels; 56 is their background
MIN_PEAK = 0.1
MIN_JOINTS = 4


def build(images: Images, *, batch: int) -> tuple[dict[str, Any], Work]:
    """See partreid.tools. batch: images at a time; not in the header, because it changes nothing beyond rounding."""
    if batch < 1:
        raise UserError(f"tools.openpose.batch is {batch}, expected at least 1")
    file = published_weights.path("openpose_coco")
    parameters = {"input": INPUT, "stages": STAGES, "min_peak": MIN_PEAK, "min_joints": MIN_JOINTS}
    head = cache.header("tool/openpose", "openpose", VERSION, sha256(file), parameters, images.sha256)
    return head, partial(look, images.paths(), images.root, file, batch)


def look(paths: list[str], root: Path, file: Path, batch: int, start: int, stop: int) -> dict[str, np.ndarray]:
    """Run the network with the weights in `file` on images start..stop-1; see the module's docstring."""
    n = stop - start
    result: dict[str, np.ndarray] = {
        "status": np.full(n, cache.FAILED, np.uint8),
        "score": np.zeros(n, np.float32),
        "maps": np.zeros((n, *SHAPE), np.float16),
    }
    network = _network(file)
    for rows, found in batches([root / path for path in paths[start:stop]], _read, batch):
        maps = run(network, np.stack(found))
        status, score = judge(maps)
        result["status"][rows], result["score"][rows] = status, score
        result["maps"][rows] = maps
    return result


def _read(path: Path) -> np.ndarray | None:
    image = read_original(path)
    if image is None:
        return None
    shrinks = image.shape[0] > INPUT[0] and image.shape[1] > INPUT[1]
    return cv2.resize(image, INPUT[::-1], interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def run(network: OpenPose, images: np.ndarray) -> np.ndarray:
    """Images uint8 RGB (B, *INPUT, 3) -> maps float32 (B, *SHAPE)."""
    import torch  # here: see partreid.tools.networks

    from partreid.backbones.openpose import prepare

    device = next(network.parameters()).device
    with torch.inference_mode():
        pixels = prepare(torch.from_numpy(images).to(device)).contiguous(memory_format=torch.channels_last)
        return network(pixels).float().cpu().numpy()


def judge(maps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Status uint8 (n,) and score float32 (n,) of maps (n, *SHAPE)."""
    peaks = maps[:, JOINTS].max((2, 3))  # (n, 18)
    seen = peaks > MIN_PEAK
    joints = seen.sum(1)
    there = joints >= MIN_JOINTS
    mean = (peaks.clip(0, 1) * seen).sum(1) / np.maximum(joints, 1)
    return np.where(there, cache.OK, cache.MISSING).astype(np.uint8), np.where(there, mean, 0).astype(np.float32)


@lru_cache(maxsize=1)
def _network(file: Path) -> OpenPose:
    from partreid.backbones import openpose

    network = openpose.OpenPose(STAGES)
    openpose.load(network, file)
    return ready(network)
