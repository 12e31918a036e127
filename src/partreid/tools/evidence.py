"""What MoveNet and BlazePose say of an image, laid over its extent: what partreid.tools.consensus judges from.

Both networks look at the image and at its mirror image; what they say is the mean of the two looks.

Whom the box is about, where MoveNet sees several people: the one whose head is nearest the top middle, as BPBreID's
supplementary chooses, weighed against how clear the person is and how near the middle (`whose`). On the rendered people
of seed 11 that takes PCK@0.2 of the occluded from 0.62 to 0.65 and leaves the others as they are.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from partreid.body.skeleton import KEYPOINT_MIRROR
from partreid.tools import blazepose, movenet, squares
from partreid.tools.blazepose import Look

GRID = (64, 32)  # rows, columns of the joints' maps
SPREAD = 1.2  # cells: standard deviation of the discs
FAINT = 0.05  # of the clearest person: less is nobody
# what of a person's log probability is lost with the head's squared distance from the middle across, and its distance
# from HIGH down, in widths and heights of the image, and with the log of the centre's distance from the square's middle
ACROSS, DOWN, APART, HIGH = 4.0, 10.0, 0.5, 0.1
LOOKS = (Look(0.85, 0.5), Look(0.85, 0.5, mirrored=True))


@dataclass(frozen=True)
class Networks:
    """The files of the two networks."""

    graph: Path
    constants: Path
    blazepose: Path


@dataclass(frozen=True)
class Evidence:
    """Maps over the image's extent, 0 to 1."""

    joints: np.ndarray  # float32 (*GRID, 17): where MoveNet sees each joint, of whomever it is
    own: (
        np.ndarray
    )  # (*GRID, 17): the same, the less the further from where the person nearest the middle has the joint
    discs: (
        np.ndarray
    )  # (*GRID, 17): a disc where BlazePose sees the joint, as strong as it is sure of it and of the person
    person: np.ndarray  # (128, 64): BlazePose's person mask
    doubt: np.ndarray  # (128, 64): how far its two looks differ


def gather(image: np.ndarray, networks: Networks) -> Evidence:
    """Image uint8 RGB (H, W, 3)."""
    square, box = squares.letterbox(image, movenet.FILL, 0.5)
    turned = np.ascontiguousarray(square[:, ::-1])
    joints, own = (
        _joints(movenet.run(networks.graph, networks.constants, square), box)
        + _mirrored(movenet.run(networks.graph, networks.constants, turned), box)
    ) / 2
    found = [blazepose.glance(image, networks.blazepose, how) for how in LOOKS]
    discs = np.mean([_discs(score, landmarks, image.shape[:2]) for score, landmarks, _ in found], 0)
    (_, _, plain), (_, _, mirrored) = found
    return Evidence(joints, own, discs, (plain + mirrored) / 2, np.abs(plain - mirrored))


def _joints(maps: movenet.Maps, box: squares.Box) -> np.ndarray:
    """MoveNet's joints, and those of its person, on the image's grid: (2, *GRID, 17)."""
    expected = maps.reach[place := whose(maps, box)] + np.array(place)
    own = movenet.NEAR * maps.joints / (movenet.distance(expected) + movenet.NEAR)
    both = sample(np.concatenate([maps.joints, own], -1), box)
    return np.stack([both[..., :17], both[..., 17:]])


def whose(maps: movenet.Maps, box: squares.Box) -> tuple[int, int]:
    """Row and column of the centre of the person that the image in `box` is about; see the module's docstring."""
    x0, y0, w, h = box
    clear = (maps.centre >= cv2.dilate(maps.centre, np.ones((5, 5)))) & (maps.centre >= FAINT * maps.centre.max())
    centres = np.argwhere(clear)  # (n, 2), where no neighbour is clearer
    rows, columns = centres.T
    heads = (centres + maps.reach[rows, columns, :5].mean(1) + 0.5) * (squares.SIDE / movenet.CELLS)  # (n, 2)
    aside, down = (heads[:, 1] - x0) / w - 0.5, (heads[:, 0] - y0) / h - HIGH
    apart = np.log(np.hypot(*(centres - movenet.CELLS / 2).T) + movenet.NEAR)
    worth = np.log(maps.centre[rows, columns] + 1e-6) - ACROSS * aside**2 - DOWN * np.abs(down) - APART * apart
    best = worth.argmax()
    return int(rows[best]), int(columns[best])


def _mirrored(maps: movenet.Maps, box: squares.Box) -> np.ndarray:
    x0, y0, w, h = box
    return _joints(maps, (squares.SIDE - x0 - w, y0, w, h))[:, :, ::-1][..., list(KEYPOINT_MIRROR)]


def sample(maps: np.ndarray, box: squares.Box) -> np.ndarray:
    """Bilinear samples of maps (CELLS, CELLS, C) of a square at the grid's centres in the image's box: (*GRID, C)."""
    x0, y0, w, h = box
    rows, columns = _weights(y0, h, GRID[0]), _weights(x0, w, GRID[1])
    across = (columns @ maps.transpose(1, 0, 2).reshape(movenet.CELLS, -1)).reshape(GRID[1], movenet.CELLS, -1)
    down = rows @ across.transpose(1, 0, 2).reshape(movenet.CELLS, -1)
    return down.reshape(*GRID, -1)


def _weights(start: int, length: int, cells: int) -> np.ndarray:
    """How much each of `cells` even places takes of each of a square's CELLS along one axis: (cells, CELLS)."""
    centre = start + length * (np.arange(cells) + 0.5) / cells
    place = (centre * movenet.CELLS / squares.SIDE - 0.5).clip(0, movenet.CELLS - 1)
    return (1 - np.abs(place[:, None] - np.arange(movenet.CELLS))).clip(0).astype(np.float32)


def _discs(score: float, landmarks: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(*GRID, 17) of BlazePose's landmarks (33, 5) in an image of `size` (height, width)."""
    keypoints = blazepose.coco(landmarks.copy())
    height, width = size
    x, y = keypoints[:, 0] * GRID[1] / width - 0.5, keypoints[:, 1] * GRID[0] / height - 0.5
    down = np.exp(-((np.arange(GRID[0])[:, None] - y) ** 2) / (2 * SPREAD**2))
    across = np.exp(-((np.arange(GRID[1])[:, None] - x) ** 2) / (2 * SPREAD**2))
    return (down[:, None] * across[None] * keypoints[:, 2] * score).astype(np.float32)
