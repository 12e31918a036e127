"""MoveNet Thunder: the 17 keypoints of one person, on any CPU. Right more often than BlazePose, but without a mask.

Votel and Li, "Next-Generation Pose Detection with MoveNet and TensorFlow.js", TensorFlow's blog, 2021: a MobileNetV2 of
width 1.75 with a feature pyramid and four heads as of CenterNet (Zhou et al., "Objects as Points", 2019), published by
Google under Apache-2.0 and trained on COCO's keypoints and on images of Google's own. It takes the person nearest the
middle of a square and says where all 17 joints are, the hidden ones too; for those outside the image its score is low.

The square is that of partreid.tools.squares with FILL. A keypoint's score is the network's, which is no probability;
the image's is the mean of its JUDGED best keypoint scores, and below MIN_SCORE the image is `missing`.
"""

from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from partreid.storage import cache, published_weights
from partreid.storage.files import sha256
from partreid.storage.pieces import Work
from partreid.tools import litert, squares, tfjs
from partreid.tools.base import Images
from partreid.tools.reading import read_original

VERSION = "1"  # raise when the output changes
GIVES = ("keypoints",)
FILL = 0.85  # share of the square's side that the image's longer side takes
JUDGED, MIN_SCORE = 8, 0.2
CELLS = 64  # rows and columns of the network's maps
NEAR = 1.8  # cells: what the network adds to a distance before it divides by it

_GRAPH = "StatefulPartitionedCall/"
_START = _GRAPH + "sub_1"  # the image, normalised
_SCALE, _SHIFT = _GRAPH + "truediv", _GRAPH + "sub_1/y"
_HEADS = tuple(
    _GRAPH + name
    for name in ("Sigmoid", "Sigmoid_1", "kpt_regress_0/conv2d_6/BiasAdd", "kpt_offset_0/conv2d_7/BiasAdd")
)
_PYRAMID = _GRAPH + "center_net_mobile_net_v2fpn_feature_extractor/model_1/"
FEATURES = tuple(_PYRAMID + name for name in ("re_lu_2/Relu", "model/block_2_add/add", "re_lu_1/Relu", "re_lu/Relu"))
"""The pyramid's last result, the backbone's at the same CELLS x CELLS, and the pyramid's at a half and a quarter."""


@dataclass(frozen=True)
class Maps:
    """What the network's heads say of one square; rows and columns in cells of SIDE / CELLS pixels."""

    joints: np.ndarray  # float32 (CELLS, CELLS, 17), probability that the joint, of whoever it is, is in the cell
    centre: np.ndarray  # (CELLS, CELLS), probability that a person's centre is in the cell
    reach: np.ndarray  # (CELLS, CELLS, 17, 2), from a centre to its joints, rows and columns
    offset: np.ndarray  # (CELLS, CELLS, 17, 2), from a joint's cell to the joint
    features: tuple[np.ndarray, ...] = ()  # of FEATURES, (cells, cells, C), from which the heads say so


def build(images: Images) -> tuple[dict[str, Any], Work]:
    """See partreid.tools."""
    graph, constants = files()
    parameters = {"fill": FILL, "graph": sha256(graph)}
    head = cache.header("tool/movenet", "movenet", VERSION, sha256(constants), parameters, images.sha256)
    return head, partial(look, images.paths(), images.root, graph, constants)


def files() -> tuple[Path, Path]:
    """The network's graph and its constants."""
    return published_weights.path("movenet_thunder_graph"), published_weights.path("movenet_thunder")


def look(paths: list[str], root: Path, graph: Path, constants: Path, start: int, stop: int) -> dict[str, np.ndarray]:
    """Run the network on images start..stop-1; the members described in partreid.tools."""
    n = stop - start
    result: dict[str, np.ndarray] = {
        "status": np.full(n, cache.FAILED, np.uint8),
        "score": np.zeros(n, np.float32),
        "keypoints": np.zeros((n, 17, 3), np.float32),
    }
    for row in range(n):
        image = read_original(root / paths[start + row])
        if image is None:
            continue
        square, box = squares.letterbox(image, FILL, 0.5)
        keypoints = decode(run(graph, constants, square))
        keypoints[:, :2] = squares.back(keypoints[:, :2], box, image.shape[:2])
        score = np.sort(keypoints[:, 2])[-JUDGED:].mean()
        result["score"][row] = score
        result["status"][row] = cache.OK if score >= MIN_SCORE else cache.MISSING
        if score >= MIN_SCORE:
            result["keypoints"][row] = keypoints
    return result


def run(graph: Path, constants: Path, square: np.ndarray) -> Maps:
    """The network on one square, uint8 RGB (SIDE, SIDE, 3)."""
    network, scale, shift = _network(graph, constants)
    joints, centre, reach, offset, *features = network.run(square[None] * scale - shift)
    pairs = (CELLS, CELLS, 17, 2)
    known = tuple(maps[0] for maps in features)
    return Maps(joints[0], centre[0, ..., 0], reach.reshape(pairs), offset.reshape(pairs), known)


def decode(maps: Maps) -> np.ndarray:
    """The keypoints of the person nearest the middle: float32 (17, 3), x, y in pixels of the square and score.

    As the published graph does it: the centre's probability is divided by the distance from the middle, the joints' by
    the distance from where the best centre expects them; NEAR is added to both.
    """
    nearest = (maps.joints / (distance(expected(maps)) + NEAR)).reshape(-1, 17).argmax(0)
    rows, columns = np.divmod(nearest, CELLS)
    joint = np.arange(17)
    places = np.stack([columns, rows], 1) + maps.offset[rows, columns, joint][:, ::-1]
    return np.concatenate([places * (squares.SIDE / CELLS), maps.joints[rows, columns, joint][:, None]], 1).astype(
        np.float32
    )


def expected(maps: Maps) -> np.ndarray:
    """Where the centre of the person nearest the middle expects its joints: (17, 2), rows and columns."""
    centre = maps.centre / (distance(np.full((1, 2), CELLS / 2))[..., 0] + NEAR)
    row, column = np.unravel_index(centre.argmax(), centre.shape)
    return np.array([row, column]) + maps.reach[row, column]


def distance(points: np.ndarray) -> np.ndarray:
    """From every cell to points (n, 2), rows and columns: (CELLS, CELLS, n)."""
    cells = np.arange(CELLS, dtype=np.float32)
    return np.hypot((cells[:, None] - points[:, 0])[:, None], (cells[:, None] - points[:, 1])[None])


@lru_cache(maxsize=1)
def _network(graph: Path, constants: Path) -> tuple[litert.Network, np.ndarray, np.ndarray]:
    """The network from the normalised image on, and what an image is multiplied by and less by."""
    steps, values = tfjs.read(graph, constants)
    outputs = (*_HEADS, *FEATURES)
    order = tfjs.between(steps, values, _START, outputs)
    shapes = {_START: (1, squares.SIDE, squares.SIDE, 3)}
    return litert.Network(litert.write(order, values, shapes, outputs)), values[_SCALE], values[_SHIFT]
