"""SCHP: body parts and person probability from the published human parsing networks (partreid.backbones.schp).

Each image is set, as large as fits, into the middle of a black square, as in the published extractor. The network's
probabilities, not its labels, are put together to the classes of Pascal-Person-Part and resampled to 128 x 64 over the
image's extent; then the most probable class wins. `person` is 1 - the background's probability.

The weights have to be downloaded by hand (partreid.storage.published_weights): `schp_pascal` knows just these classes.
`schp_lip` and
`schp_atr` know clothes, and the tables below show what they cannot tell: an upper from a lower arm and, in trousers, an
upper from a lower leg. From them class 3 (upper arms) never comes, and a leg in trousers is an upper leg to the shoe.

An image is `missing` when less than MIN_SHARE of it is person. `score` is the mean person probability of the pixels
whose class is not background. The network does not tell persons apart: all that are in the image are parsed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from partreid.body.parsing import PARSING
from partreid.errors import UserError, choose
from partreid.storage import cache
from partreid.storage import published_weights as published
from partreid.storage.files import sha256
from partreid.storage.pieces import Work
from partreid.tools.base import Images
from partreid.tools.networks import batches, ready
from partreid.tools.reading import read_original

if TYPE_CHECKING:
    from torch import Tensor

    from partreid.backbones.schp import SCHP

VERSION = "1"  # raise when the output changes
GIVES = ("parsing", "person")
SIZE = (128, 64)  # rows, columns of the output, whatever the image's size
MIN_SHARE = 0.01  # of the image; below this the image is `missing`: 82 of 8,192 pixels are no person in a person's box

# The networks' classes, in their order, and the class of Pascal-Person-Part that each is counted as.
PASCAL = {name: name for name in PARSING}
LIP = {
    "background": "background",
    "hat": "head",
    "hair": "head",
    "glove": "lower_arms",  # hands are
    "sunglasses": "head",
    "upper-clothes": "torso",  # and their sleeves: LIP does not tell them apart
    "dress": "torso",  # the skirt of it too
    "coat": "torso",
    "socks": "lower_legs",
    "pants": "upper_legs",  # the shins in them too
    "jumpsuits": "torso",  # arms and legs in them too; the torso is the largest part
    "scarf": "torso",  # it lies around the neck and hangs on the chest
    "skirt": "upper_legs",
    "face": "head",
    "left-arm": "lower_arms",  # bare arms: what a short sleeve leaves bare is mostly the lower arm
    "right-arm": "lower_arms",
    "left-leg": "lower_legs",  # bare legs: what shorts and skirts leave bare is mostly the lower leg
    "right-leg": "lower_legs",
    "left-shoe": "lower_legs",  # feet are
    "right-shoe": "lower_legs",
}
ATR = {
    "background": "background",
    "hat": "head",
    "hair": "head",
    "sunglasses": "head",
    "upper-clothes": "torso",  # coats and sleeves included
    "skirt": "upper_legs",
    "pants": "upper_legs",  # the shins in them too
    "dress": "torso",
    "belt": "torso",  # the waist
    "left-shoe": "lower_legs",
    "right-shoe": "lower_legs",
    "face": "head",
    "left-leg": "lower_legs",  # bare, as in LIP
    "right-leg": "lower_legs",
    "left-arm": "lower_arms",
    "right-arm": "lower_arms",
    "bag": "background",  # no part of the body; the other two data sets have it in the background
    "scarf": "torso",
}


@dataclass(frozen=True)
class Published:
    """One of the published networks."""

    classes: dict[str, str]  # its classes in order -> class of Pascal-Person-Part
    side: int  # of its square input, in pixels


NETWORKS = {"schp_pascal": Published(PASCAL, 512), "schp_lip": Published(LIP, 473), "schp_atr": Published(ATR, 512)}

Box = tuple[int, int, int, int]  # x, y, width, height of the image in the square


def build(images: Images, *, weights: str, batch: int) -> tuple[dict[str, Any], Work]:
    """See partreid.tools. weights: a key of NETWORKS. batch: images at a time; fewer need less memory.

    `batch` is not in the header: it changes no result beyond rounding, so a run that ended for lack of memory goes on
    with a smaller one.
    """
    choose(NETWORKS, weights, "weights (tools.schp.weights)")
    if batch < 1:
        raise UserError(f"tools.schp.batch is {batch}, expected at least 1")
    file = published.path(weights)
    parameters = {"weights": weights, "min_share": MIN_SHARE}
    head = cache.header("tool/schp", "schp", VERSION, sha256(file), parameters, images.sha256)
    return head, partial(look, images.paths(), images.root, file, weights, batch)


def look(
    paths: list[str], root: Path, file: Path, name: str, batch: int, start: int, stop: int
) -> dict[str, np.ndarray]:
    """Run network `name` with the weights in `file` on images start..stop-1; see the module's docstring."""
    n = stop - start
    result: dict[str, np.ndarray] = {
        "status": np.full(n, cache.FAILED, np.uint8),
        "score": np.zeros(n, np.float32),
        "parsing": np.zeros((n, *SIZE), np.uint8),
        "person": np.zeros((n, *SIZE), np.uint8),
    }
    network = _network(file, name)
    read = partial(_read, side=NETWORKS[name].side)
    for rows, found in batches([root / path for path in paths[start:stop]], read, batch):
        squares, boxes = np.stack([square for square, _ in found]), [box for _, box in found]
        parsing, person = parse(network, name, squares, boxes)
        status, score = judge(parsing, person)
        seen = status == cache.OK
        result["status"][rows], result["score"][rows] = status, score
        result["parsing"][rows] = parsing * seen[:, None, None]
        result["person"][rows] = np.rint(255 * person) * seen[:, None, None]
    return result


def _read(path: Path, side: int) -> tuple[np.ndarray, Box] | None:
    image = read_original(path)
    return None if image is None else letterbox(image, side)


def letterbox(image: np.ndarray, side: int) -> tuple[np.ndarray, Box]:
    """Set an image uint8 (H, W, 3), as large as fits, into the middle of a black square: (side, side, 3), its box."""
    height, width = image.shape[:2]
    scale = side / max(height, width)
    h, w = max(1, round(height * scale)), max(1, round(width * scale))
    x, y = (side - w) // 2, (side - h) // 2
    square = np.zeros((side, side, 3), np.uint8)
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    square[y : y + h, x : x + w] = cv2.resize(image, (w, h), interpolation=method)
    return square, (x, y, w, h)


def parse(network: SCHP, name: str, squares: np.ndarray, boxes: list[Box]) -> tuple[np.ndarray, np.ndarray]:
    """Squares uint8 RGB (B, side, side, 3) -> parsing uint8 and person probability float32, both (B, *SIZE).

    Both cover the boxes in which the squares' images lie.
    """
    import torch  # here: see partreid.tools.networks

    from partreid.inputs.images import normalise

    device = next(network.parameters()).device
    with torch.inference_mode():
        pixels = normalise(torch.from_numpy(squares).to(device)).contiguous(memory_format=torch.channels_last)
        classes = network(pixels).fused.float().softmax(1)  # (B, C, side/4, side/4)
        to_pascal = torch.tensor(matrix(NETWORKS[name].classes), device=device)  # (C, 7)
        parts = torch.einsum("bchw,cp->bphw", classes, to_pascal)
        parts = sample(parts, boxes, squares.shape[1])  # (B, 7, *SIZE)
        return parts.argmax(1).to(torch.uint8).cpu().numpy(), (1 - parts[:, 0]).clamp(0, 1).cpu().numpy()


def matrix(classes: dict[str, str]) -> np.ndarray:
    """float32 (len(classes), 7): 1 where a network's class is counted as a class of PARSING."""
    return np.array([[part == name for name in PARSING] for part in classes.values()], np.float32)


def sample(maps: Tensor, boxes: list[Box], side: int) -> Tensor:
    """Bilinear samples of maps (B, C, h, w), which cover squares of `side` pixels, over a box in each: (B, C, *SIZE).

    The maps' corner pixels lie on the squares' corner pixels: the network was trained with maps enlarged that way.
    """
    import torch
    from torch.nn import functional as F

    x, y, w, h = torch.tensor(boxes, dtype=torch.float32, device=maps.device).T[:, :, None]  # each (B, 1)
    row = y + h * (torch.arange(SIZE[0], device=maps.device) + 0.5) / SIZE[0]  # (B, 128), pixels of the square
    column = x + w * (torch.arange(SIZE[1], device=maps.device) + 0.5) / SIZE[1]  # (B, 64)
    # grid_sample wants the centres of the square's corner pixels at -1 and 1
    rows, columns = ((2 * at - 1) / (side - 1) - 1 for at in (row, column))
    shape = (len(boxes), *SIZE)
    grid = torch.stack([columns[:, None, :].expand(shape), rows[:, :, None].expand(shape)], dim=-1)
    return F.grid_sample(maps, grid, mode="bilinear", padding_mode="border", align_corners=True)


def judge(parsing: np.ndarray, person: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Status uint8 (n,) and score float32 (n,) of parsings (n, h, w) and person probabilities (n, h, w)."""
    body = parsing > 0
    pixels = body.sum((1, 2))
    seen = pixels >= MIN_SHARE * body[0].size
    mean = (person * body).sum((1, 2)) / np.maximum(pixels, 1)
    return np.where(seen, cache.OK, cache.MISSING).astype(np.uint8), np.where(seen, mean, 0).astype(np.float32)


@lru_cache(maxsize=1)
def _network(file: Path, name: str) -> SCHP:
    from partreid.backbones import schp

    network = schp.SCHP(len(NETWORKS[name].classes))
    schp.load(network, file)
    return ready(network)
