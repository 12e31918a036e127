"""Setting an image, which is a person's box, into the square that a pose network was made for.

Around it, its border pixels are continued, which the networks take better than black.
"""

import cv2
import numpy as np

SIDE = 256  # pixels of the networks' square input

Box = tuple[int, int, int, int]  # x, y, width, height of the image in the square


def letterbox(image: np.ndarray, fill: float, place: float) -> tuple[np.ndarray, Box]:
    """The square, uint8 RGB (SIDE, SIDE, 3), and where the image, uint8 (H, W, 3), lies in it.

    fill: share of the square's side that the image's longer side takes. place: 0 at the top, 0.5 in the middle.
    """
    height, width = image.shape[:2]
    scale = fill * SIDE / max(height, width)
    h, w = max(1, round(height * scale)), max(1, round(width * scale))
    y0, x0 = round((SIDE - h) * place), (SIDE - w) // 2
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = cv2.resize(image, (w, h), interpolation=method)
    square = cv2.copyMakeBorder(small, y0, SIDE - h - y0, x0, SIDE - w - x0, cv2.BORDER_REPLICATE)
    return square, (x0, y0, w, h)


def back(points: np.ndarray, box: Box, size: tuple[int, int]) -> np.ndarray:
    """Points (..., 2), x and y in pixels of the square, in pixels of the image of `size` (height, width)."""
    x0, y0, w, h = box
    height, width = size
    return (points - np.array([x0, y0])) * np.array([width / w, height / h])
