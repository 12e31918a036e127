"""What MoveNet and BlazePose say of an image, laid over its extent: what partreid.tools.consensus judges from.

Each network looks once. Whom the box is about, where MoveNet sees several people: the one whose head is nearest the top
middle, as BPBreID's supplementary chooses, weighed against how clear the person is and how near the middle (`whose`).
On the rendered people of seed 11 that took PCK@0.2 of the occluded from 0.62 to 0.65 and left the others as they were.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from partreid.tools import blazepose, movenet, squares
from partreid.tools.blazepose import Look

GRID = (64, 32)  # rows, columns of the joints' maps
FINE = (128, 64)  # of the image and of the mask
SPREAD = 1.2  # cells: standard deviation of the discs
FAINT = 0.05  # of the clearest person: less is nobody
# what of a person's log probability is lost with the head's squared distance from the middle across, and its distance
# from HIGH down, in widths and heights of the image, and with the log of the centre's distance from the square's middle
ACROSS, DOWN, APART, HIGH = 4.0, 10.0, 0.5, 0.1
LOOK = Look(0.85, 0.5)


@dataclass(frozen=True)
class Networks:
    """The files of the two networks."""

    graph: Path
    constants: Path
    blazepose: Path


@dataclass(frozen=True)
class Evidence:
    """Of one look; all over the image's extent."""

    image: np.ndarray  # uint8 (*FINE, 3), RGB
    joints: np.ndarray  # float32 (*GRID, 17), 0 to 1: where MoveNet sees each joint, of whomever it is
    own: np.ndarray  # (*GRID, 17): the same, less the further from where the person that is meant has the joint
    discs: np.ndarray  # (*GRID, 17): a disc where BlazePose sees it, as strong as it is sure of it and of the person
    person: np.ndarray  # (*FINE), BlazePose's person mask
    features: tuple[
        np.ndarray, ...
    ]  # MoveNet's: (*GRID, 64), and of half and quarter as many rows (32, 16, 24), (16, 8, 32)


def gather(image: np.ndarray, networks: Networks) -> Evidence:
    """Image uint8 RGB (H, W, 3)."""
    square, box = squares.letterbox(image, movenet.FILL, 0.5)
    maps = movenet.run(networks.graph, networks.constants, square)
    joints, own = _joints(maps, box)
    score, landmarks, person = blazepose.glance(image, networks.blazepose, LOOK)
    return Evidence(
        cv2.resize(image, FINE[::-1], interpolation=cv2.INTER_AREA),
        joints,
        own,
        _discs(score, landmarks, image.shape[:2]),
        person,
        _features(maps, box),
    )


def _joints(maps: movenet.Maps, box: squares.Box) -> tuple[np.ndarray, np.ndarray]:
    """MoveNet's joints, and those of its person, on the image's grid: (*GRID, 17) each."""
    expected = maps.reach[place := whose(maps, box)] + np.array(place)
    own = movenet.NEAR * maps.joints / (movenet.distance(expected) + movenet.NEAR)
    return sample(maps.joints, box, GRID), sample(own, box, GRID)


def _features(maps: movenet.Maps, box: squares.Box) -> tuple[np.ndarray, ...]:
    last, first, half, quarter = maps.features
    rows, columns = GRID
    return (
        sample(np.concatenate([last, first], -1), box, GRID),
        sample(half, box, (rows // 2, columns // 2)),
        sample(quarter, box, (rows // 4, columns // 4)),
    )


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


def sample(maps: np.ndarray, box: squares.Box, grid: tuple[int, int]) -> np.ndarray:
    """Bilinear samples of maps (n, n, C) of a square at the centres of a grid over the image's box: (*grid, C)."""
    x0, y0, w, h = box
    cells, _, channels = maps.shape
    rows, columns = _weights(y0, h, grid[0], cells), _weights(x0, w, grid[1], cells)
    down = (rows @ maps.reshape(cells, -1)).reshape(grid[0], cells, channels)
    return np.matmul(columns, down)


def _weights(start: int, length: int, wanted: int, cells: int) -> np.ndarray:
    """How much each of `wanted` even places takes of each of a square's cells along one axis: (wanted, cells)."""
    centre = start + length * (np.arange(wanted) + 0.5) / wanted
    place = (centre * cells / squares.SIDE - 0.5).clip(0, cells - 1)
    return (1 - np.abs(place[:, None] - np.arange(cells))).clip(0).astype(np.float32)


def _discs(score: float, landmarks: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(*GRID, 17) of BlazePose's landmarks (33, 5) in an image of `size` (height, width)."""
    keypoints = blazepose.coco(landmarks.copy())
    height, width = size
    x, y = keypoints[:, 0] * GRID[1] / width - 0.5, keypoints[:, 1] * GRID[0] / height - 0.5
    down = np.exp(-((np.arange(GRID[0])[:, None] - y) ** 2) / (2 * SPREAD**2))
    across = np.exp(-((np.arange(GRID[1])[:, None] - x) ** 2) / (2 * SPREAD**2))
    return (down[:, None] * across[None] * keypoints[:, 2] * score).astype(np.float32)
