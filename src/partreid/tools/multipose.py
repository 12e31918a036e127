"""MoveNet MultiPose: boxes of the persons in a photo, on any CPU.

Votel and Li, "Next-Generation Pose Detection with MoveNet and TensorFlow.js", TensorFlow's blog, 2021; published by
Google under Apache-2.0. A MobileNetV2 with a feature pyramid and heads as of CenterNet (Zhou et al., "Objects as
Points", 2019); here those of the boxes are used: a map of persons' centres, and at each centre a box's height, width
and the shift of its middle. As the published graph does it, a person is a cell whose probability is the largest of the
5 x 5 cells around it. Differs from that graph: any number of persons, not the best six; a person's score is that of the
centre alone, not averaged with the keypoints'; and it looks twice, with the photo's longer side at SIDES pixels: 256,
for which it was made, and larger, since a person at the back of a photo needs more pixels. What both looks see of one
person becomes one box (`apart`).
"""

from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from partreid.storage import published_weights
from partreid.tools import litert, tfjs

SIDES = (256, 640)  # pixels of the photo's longer side as the network sees it
GRID = 32  # the sides it takes are multiples of it
CELL = 4  # pixels of a cell of its maps
AROUND = 5  # cells among which a centre must be the largest
MIN_SCORE = 0.25
OVERLAP = 0.6  # two boxes that share more than this of their union are one person's
PIECE, INSIDE = (
    0.25,
    0.9,
)  # a box that is so much smaller than one before it, and so much inside it, is a piece of a body

_GRAPH = "StatefulPartitionedCall/"
_START = _GRAPH + "sub_1"  # the image, normalised
_SCALE, _SHIFT = _GRAPH + "truediv", _GRAPH + "sub_1/y"
_HEADS = tuple(_GRAPH + name for name in ("Sigmoid", "box_scale_0/conv2d_5/BiasAdd", "box_offset_0/conv2d_6/BiasAdd"))

Boxes = tuple[np.ndarray, np.ndarray]  # float32 (N, 4), x0, y0, x1, y1 in pixels; scores (N,), 0..1, highest first


def files() -> tuple[Path, Path]:
    """The network's graph and its constants."""
    return published_weights.path("movenet_multipose_graph"), published_weights.path("movenet_multipose")


def find(graph: Path, constants: Path, image: np.ndarray) -> Boxes:
    """The persons in a photo, uint8 RGB (H, W, 3). Boxes lie inside it. Not for two threads at once."""
    found = [look(graph, constants, image, side) for side in SIDES]
    boxes, scores = (np.concatenate(each) for each in zip(*found, strict=True))
    order = np.argsort(-scores, kind="stable")
    return apart(boxes[order], scores[order])


def look(graph: Path, constants: Path, image: np.ndarray, side: int) -> Boxes:
    """What the network sees of a photo whose longer side is made `side` pixels, some persons perhaps twice."""
    height, width = image.shape[:2]
    scale = side / max(height, width)
    h, w = max(1, round(height * scale)), max(1, round(width * scale))
    small = cv2.resize(image, (w, h), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    padded = cv2.copyMakeBorder(small, 0, -h % GRID, 0, -w % GRID, cv2.BORDER_CONSTANT)
    network, factor, shift = _network(graph, constants, (padded.shape[0], padded.shape[1]))
    centre, size, offset = (values[0] for values in network.run(padded[None] * factor - shift))
    boxes, scores = decode(centre[..., 0], size, offset)
    boxes = boxes * np.array([width / w, height / h] * 2)
    return boxes.clip(0, [width, height] * 2).astype(np.float32), scores


def decode(centre: np.ndarray, size: np.ndarray, offset: np.ndarray) -> Boxes:
    """Boxes from the maps of n x m cells, in pixels of what the network saw.

    centre: (n, m), probability. size, offset: (n, m, 2), height and width, and the middle's shift down and to the
    right, in cells.
    """
    rows, columns = np.nonzero((centre >= MIN_SCORE) & (centre == cv2.dilate(centre, np.ones((AROUND, AROUND)))))
    order = np.argsort(-centre[rows, columns], kind="stable")
    rows, columns = rows[order], columns[order]
    middle = np.stack([columns, rows], 1) + offset[rows, columns, ::-1]
    half = np.maximum(size[rows, columns, ::-1], 0) / 2
    return CELL * np.concatenate([middle - half, middle + half], 1), centre[rows, columns]


def apart(boxes: np.ndarray, scores: np.ndarray) -> Boxes:
    """Of boxes, highest score first, those that are no second look at a person, or a piece of one, before them."""
    kept: list[int] = []
    for number, box in enumerate(boxes):
        if area(box) > 0 and not any(again(box, boxes[other]) for other in kept):
            kept.append(number)
    return boxes[kept], scores[kept]


def again(box: np.ndarray, first: np.ndarray) -> bool:
    """Whether a box (4,) shows the person of another, or a piece of that person."""
    small, inside = area(box) < PIECE * area(first), common(box, first) >= INSIDE * area(box)
    return shared(box, first) > OVERLAP or (small and inside)


def common(one: np.ndarray, other: np.ndarray) -> float:
    """Square pixels that two boxes (4,) share."""
    return area(np.concatenate([np.maximum(one[:2], other[:2]), np.minimum(one[2:], other[2:])]))


def shared(one: np.ndarray, other: np.ndarray) -> float:
    """Intersection over union of two boxes (4,)."""
    both = common(one, other)
    union = area(one) + area(other) - both
    return both / union if union else 0.0


def area(box: np.ndarray) -> float:
    """Square pixels of a box (4,); 0 of an empty one."""
    return float(max(box[2] - box[0], 0) * max(box[3] - box[1], 0))


@lru_cache(maxsize=4)
def _network(graph: Path, constants: Path, size: tuple[int, int]) -> tuple[litert.Network, np.ndarray, np.ndarray]:
    """The network for photos of this height and width, from the normalised photo on; factor and shift of pixels."""
    steps, values = tfjs.read(graph, constants)
    order = tfjs.between(steps, values, _START, _HEADS)
    return litert.Network(litert.write(order, values, {_START: (1, *size, 3)}, _HEADS)), values[_SCALE], values[_SHIFT]
