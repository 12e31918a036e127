"""The head in a map of how probably each cell shows it: the patch of cells that do, and its edges between cells.

Maps are (rows, columns) over an image's extent. Places are in pixels of the image: x right, y down, origin at the
corner of the top-left pixel.
"""

from dataclasses import dataclass

import cv2
import numpy as np

HALF = 0.5  # from this probability on a cell is more head than not
BORDER = 5  # rows and columns of the square with which a patch takes in the cells around it, for its edges


@dataclass(frozen=True)
class Patch:
    """A head's cells, and how far they reach."""

    head: np.ndarray  # float32 (rows, columns): the map, 0 away from the patch
    size: tuple[int, int]  # height and width of the image in pixels
    box: tuple[float, float, float, float]  # left, top, right, bottom in pixels

    def row(self, share: float) -> float:
        """The y above which that share of the mass lies."""
        below = np.concatenate([[0], np.cumsum(self.head.sum(1))])
        place = np.interp(share * below[-1], below, np.arange(len(below)))
        return float(place) * self.size[0] / len(self.head)

    def middle(self) -> tuple[float, float]:
        """x and y of the middle of the box."""
        x0, y0, x1, y1 = self.box
        return (x0 + x1) / 2, (y0 + y1) / 2


def find(head: np.ndarray, size: tuple[int, int]) -> Patch | None:
    """The connected cells of at least HALF with the largest sum, if any cell is. size: the image's height and width."""
    count, labels = cv2.connectedComponents((head >= HALF).astype(np.uint8))
    if count < 2:
        return None
    mass = np.bincount(labels.ravel(), head.ravel(), count)
    mass[0] = 0
    inside = (labels == mass.argmax()).astype(np.uint8)
    near = head * cv2.dilate(inside, np.ones((BORDER, BORDER), np.uint8))
    across, down = near.max(0), near.max(1)
    wide, high = size[1] / len(across), size[0] / len(down)
    box = start(across) * wide, start(down) * high, size[1] - start(across[::-1]) * wide, bottom(down) * high
    return Patch(near, size, box)


def bottom(down: np.ndarray) -> float:
    """Where values (n,) last come down to HALF, in cells from the start; see `start`."""
    return len(down) - start(down[::-1])


def start(values: np.ndarray) -> float:
    """Where values (n,), some of at least HALF, first reach it: in cells from the start, between the cells' centres."""
    cell = int((values >= HALF).argmax())
    if cell == 0:
        return 0.0
    here, before = float(values[cell]), float(values[cell - 1])
    return cell + 0.5 - (here - HALF) / (here - before)
