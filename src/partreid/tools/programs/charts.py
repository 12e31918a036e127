"""From DensePose's boxes and chart labels to one person's head box, mask and Pascal-Person-Part classes.

Güler, Neverova, Kokkinos, "DensePose: Dense Human Pose Estimation in the Wild", CVPR 2018. Its 24 charts: 1, 2 torso;
3 right, 4 left hand; 5 left, 6 right foot; 7, 9 right and 8, 10 left upper leg; 11, 13 right and 12, 14 left lower leg;
15, 17 left and 16, 18 right upper arm; 19, 21 left and 20, 22 right lower arm; 23 right, 24 left half of the head.

Coordinates: x right, y down, pixels, origin at the top-left corner of the top-left pixel.
"""

import math

import cv2
import numpy as np

HEAD = (23, 24)
PASCAL = np.array([0, 2, 2, 4, 4, 6, 6, 5, 5, 5, 5, 6, 6, 6, 6, 3, 3, 3, 3, 4, 4, 4, 4, 1, 1], np.uint8)
"""Chart -> background, head, torso, upper arms, lower arms, upper legs, lower legs."""
GRID = (128, 64)  # rows, columns of the mask and the classes, over the whole image


def target(boxes: np.ndarray, height: int, width: int) -> int:
    """Whose image it is: of the boxes (P, 4) x0, y0, x1, y1 that contain the image's centre the largest.

    When none does, the one nearest to the centre; of equally near ones the largest.
    """
    x, y = width / 2, height / 2
    beside = np.maximum(np.maximum(boxes[:, 0] - x, x - boxes[:, 2]), 0)
    above = np.maximum(np.maximum(boxes[:, 1] - y, y - boxes[:, 3]), 0)
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return int(np.lexsort((-area, np.hypot(beside, above)))[0])


def place(maps: np.ndarray, box: np.ndarray, height: int, width: int) -> tuple[np.ndarray, int, int]:
    """Maps (C, m, m) that cover a box, at the image's pixels whose centres lie in it: float32 (C, h, w), and x, y.

    x, y: the first such pixel. Linear between the maps' cells, constant from their outermost centres outwards.
    """
    rows, y = _lines(maps.shape[1], box[1], box[3], height)
    columns, x = _lines(maps.shape[2], box[0], box[2], width)
    return rows @ maps.astype(np.float32) @ columns.T, x, y


def _lines(cells: int, low: float, high: float, side: int) -> tuple[np.ndarray, int]:
    """Linear interpolation along one axis: (pixels in low..high, cells), and the first of these pixels."""
    first, end = max(0, math.ceil(low - 0.5)), min(side, math.floor(high - 0.5) + 1)
    centres = np.arange(first, max(first, end)) + 0.5
    at = ((centres - low) / max(high - low, 1e-6) * cells - 0.5).clip(0, cells - 1)
    return (1 - np.abs(at[:, None] - np.arange(cells))).clip(0).astype(np.float32), first


def read(
    fine: np.ndarray, coarse: np.ndarray, box: np.ndarray, height: int, width: int
) -> tuple[np.ndarray, np.ndarray]:
    """Charts uint8 (height, width), 0 for none, and the person's probability float32 (height, width) in 0..1.

    fine: (25, m, m) logits of no chart and the charts. coarse: (2, m, m) logits of background and person. A pixel has
    the chart with the largest logit where the person is likelier than the background, as in DensePose's own reading.
    """
    charts, person = np.zeros((height, width), np.uint8), np.zeros((height, width), np.float32)
    logits, x, y = place(np.concatenate([fine, coarse]), box, height, width)
    h, w = logits.shape[1:]
    lead = logits[-1] - logits[-2]
    charts[y : y + h, x : x + w] = logits[: len(fine)].argmax(0) * (lead > 0)
    person[y : y + h, x : x + w] = 0.5 * (1 + np.tanh(0.5 * lead))  # a softmax of two is a logistic function
    return charts, person


def head_box(charts: np.ndarray) -> np.ndarray:
    """x0, y0, x1, y1 of the largest connected area of head charts, float32 (4,); NaN when there is none.

    charts: uint8 (H, W). Areas touch also at corners.
    """
    _, _, areas, _ = cv2.connectedComponentsWithStats(np.isin(charts, HEAD).astype(np.uint8), connectivity=8)
    if len(areas) < 2:  # only the background
        return np.full(4, np.nan, np.float32)
    x, y, w, h, _ = areas[1 + areas[1:, cv2.CC_STAT_AREA].argmax()]
    return np.array([x, y, x + w, y + h], np.float32)


def parsing(charts: np.ndarray) -> np.ndarray:
    """Pascal-Person-Part classes uint8 (*GRID): in each cell the class that covers most of it, background on a tie.

    charts: uint8 (H, W).
    """
    classes = PASCAL[charts]
    share = np.stack([shrink((classes == number).astype(np.float32)) for number in range(PASCAL.max() + 1)])
    return share.argmax(0).astype(np.uint8)


def shrink(map_: np.ndarray) -> np.ndarray:
    """The mean of a map (H, W) over each cell of an even grid: float32 (*GRID)."""
    rows, columns = (_shares(old, new) for old, new in zip(map_.shape, GRID, strict=True))
    return rows @ map_.astype(np.float32) @ columns.T


def _shares(old: int, new: int) -> np.ndarray:
    """How much of each new cell is each old one, along one axis: float32 (new, old), rows sum to 1."""
    edges_old, edges_new = np.arange(old + 1) / old, np.arange(new + 1) / new
    low = np.maximum(edges_new[:-1, None], edges_old[None, :-1])
    high = np.minimum(edges_new[1:, None], edges_old[None, 1:])
    return (np.maximum(high - low, 0) * new).astype(np.float32)
