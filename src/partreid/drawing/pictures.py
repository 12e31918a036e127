"""Small pictures: fitting, framing, text, encoding. Images are RGB uint8 (H, W, 3)."""

import cv2
import numpy as np

GREEN = (22, 150, 84)
RED = (214, 48, 57)
GREY = (150, 154, 160)
INK = (28, 30, 34)
SOFT = (104, 108, 116)
PAPER = (255, 255, 255)
BACKDROP = (226, 228, 231)  # behind an image that does not fill its box

_FONT = cv2.FontFace("sans")  # a real font inside OpenCV, so the same text on every machine


def fit(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Scale the image to fit a box, keeping its shape, centred on a plain backdrop: (height, width, 3)."""
    scale = min(height / image.shape[0], width / image.shape[1])
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    box = np.empty((height, width, 3), np.uint8)
    box[:] = BACKDROP
    top, left = (height - size[1]) // 2, (width - size[0]) // 2
    box[top : top + size[1], left : left + size[0]] = small
    return box


def frame(image: np.ndarray, colour: tuple[int, int, int], width: int = 4) -> np.ndarray:
    """Put a frame of `width` pixels around the image, hiding none of it: (H + 2 width, W + 2 width, 3)."""
    return cv2.copyMakeBorder(image, width, width, width, width, cv2.BORDER_CONSTANT, value=colour)


def text(
    canvas: np.ndarray, words: str, x: int, y: int, size: int = 14, weight: int = 400, colour: tuple[int, ...] = INK
) -> None:
    """Write one line into the canvas, in place; (x, y) is the left end of its baseline in pixels."""
    cv2.putText(canvas, words, (x, y), colour, _FONT, size, weight)


def text_width(words: str, size: int = 14, weight: int = 400) -> int:
    """How many pixels a line takes."""
    return cv2.getTextSize((0, 0), words, (0, 0), _FONT, size, weight)[2]


def jpeg(image: np.ndarray, quality: int = 80) -> bytes:
    """Encode as JPEG."""
    return _encode(image, ".jpg", [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_OPTIMIZE, 1])


def png(image: np.ndarray) -> bytes:
    """Encode as PNG: by zlib's level 6, as 9 takes three times as long to spare a fiftieth of the bytes."""
    return _encode(image, ".png", [cv2.IMWRITE_PNG_COMPRESSION, 6])


def _encode(image: np.ndarray, kind: str, options: list[int]) -> bytes:
    return cv2.imencode(kind, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)[1].tobytes()
