"""Drawing labels over images. All pictures are uint8 RGB (H, W, 3).

Coordinates are pixels of the picture drawn on: x right, y down, origin at the top-left corner of the top-left pixel.
"""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from partreid.body.skeleton import KEYPOINTS, LINKS
from partreid.drawing.colours import NUMBER_COLOURS, PART_COLOURS, SIDE_COLOURS, Colour, side
from partreid.drawing.pictures import BACKDROP, SOFT, text, text_width

HEIGHT = 256  # pixels of a panel; its width follows the image
SHORT = 0.1  # of a limb's vector, about 1 on the limb: a shorter one is no arrow
_OUTLINE = (20, 20, 20)  # around lines, so that they show on any image
_FINE = 4  # OpenCV takes coordinates in 1/2^4 pixels


def panel_width(height: int, width: int) -> int:
    """Of an image's panel: aspect kept, but at most square, and at least a quarter as wide as high."""
    return round(HEIGHT * min(max(width / height, 0.25), 1))


def panel(image: np.ndarray) -> np.ndarray:
    """The image at the panel's height."""
    shrinks = image.shape[0] > HEIGHT
    size = (panel_width(*image.shape[:2]), HEIGHT)
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)


def blank(height: int, width: int, words: str = "") -> np.ndarray:
    """A plain panel where there is nothing to show, with the reason in its middle, a word a line."""
    picture = np.full((height, width, 3), BACKDROP, np.uint8)
    lines = words.split()
    for number, line in enumerate(lines):
        y = round(height / 2 + 18 * (number - len(lines) / 2)) + 14
        text(picture, line, (width - text_width(line, 13)) // 2, y, 13, colour=SOFT)
    return picture


def heat(image: np.ndarray, values: np.ndarray) -> np.ndarray:
    """A map (h, w) in 0..1 over the image: dark blue is 0, yellow is 1, and the stronger the less image shows."""
    h, w = image.shape[:2]
    large = cv2.resize(values.astype(np.float32), (w, h), interpolation=cv2.INTER_LINEAR).clip(0, 1)
    colours = cv2.applyColorMap(np.rint(255 * large).astype(np.uint8), cv2.COLORMAP_VIRIDIS)[..., ::-1]
    return _mix(image, colours, 0.2 + 0.5 * large)


def parts(image: np.ndarray, maps: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Each place of the image in the colour of its strongest part, where that is above a half.

    maps: float (K, h, w) in 0..1 over the image's whole extent, names: the K parts. Ties go to the first.
    """
    h, w = image.shape[:2]
    large = np.stack([cv2.resize(part.astype(np.float32), (w, h), interpolation=cv2.INTER_LINEAR) for part in maps])
    colours = np.array([PART_COLOURS[name] for name in names], np.uint8)[large.argmax(0)]
    return _mix(image, colours, np.where(large.max(0) > 0.5, np.float32(0.6), np.float32(0)))


def classes(image: np.ndarray, parsing: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Each place of the image in the colour of its class; class 0 is left as it is.

    parsing: uint8 (h, w) over the image's whole extent. names: of the classes from 1 on.
    """
    return _coloured(image, parsing, [(0, 0, 0), *(PART_COLOURS[name] for name in names)])


def numbered(image: np.ndarray, parts: np.ndarray) -> np.ndarray:
    """Each place of the image in the colour of its numbered part; 0, the background, is left as it is.

    parts: uint8 (h, w) over the image's whole extent; the colours of NUMBER_COLOURS come again after the last.
    """
    again = np.where(parts > 0, 1 + (parts - 1) % len(NUMBER_COLOURS), 0).astype(np.uint8)
    return _coloured(image, again, [(0, 0, 0), *NUMBER_COLOURS])


def _coloured(image: np.ndarray, numbers: np.ndarray, table: Sequence[Colour]) -> np.ndarray:
    h, w = image.shape[:2]
    large = cv2.resize(numbers, (w, h), interpolation=cv2.INTER_NEAREST_EXACT)
    return _mix(image, np.array(table, np.uint8)[large], np.where(large > 0, np.float32(0.6), np.float32(0)))


def _mix(image: np.ndarray, colours: np.ndarray, share: np.ndarray) -> np.ndarray:
    return np.rint(image * (1 - share[..., None]) + colours * share[..., None]).astype(np.uint8)


def box(image: np.ndarray, corners: np.ndarray, colour: Colour) -> np.ndarray:
    """The outline of a box x0, y0, x1, y1."""
    drawn = image.copy()
    for ink, thick in ((_OUTLINE, 4), (colour, 2)):
        cv2.rectangle(drawn, _place(corners[:2]), _place(corners[2:]), ink, thick, cv2.LINE_AA, _FINE)
    return drawn


def cut(image: np.ndarray, corners: np.ndarray, height: int, widest: int) -> np.ndarray:
    """What is inside a box x0, y0, x1, y1, at least a pixel of it, enlarged or shrunk into (height, <= widest, 3)."""
    h, w = image.shape[:2]
    x0, y0 = np.floor(corners[:2]).astype(int).clip(0, [w - 1, h - 1])
    x1, y1 = np.ceil(corners[2:]).astype(int).clip([x0 + 1, y0 + 1], [w, h])
    inside = image[y0:y1, x0:x1]
    scale = min(height / inside.shape[0], widest / inside.shape[1])
    size = (max(1, round(inside.shape[1] * scale)), max(1, round(inside.shape[0] * scale)))
    small = cv2.resize(inside, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    picture = blank(height, size[0])
    top = (height - size[1]) // 2
    picture[top : top + size[1]] = small
    return picture


def skeleton(
    image: np.ndarray, keypoints: np.ndarray, min_score: float, colours: Mapping[str, Colour] = SIDE_COLOURS
) -> np.ndarray:
    """The 17 COCO keypoints (17, 3) and the links between them, in the colours of their sides.

    Keypoints below min_score are small grey dots, without links.
    """
    drawn = image.copy()
    thick = max(2, round(image.shape[0] / 100))
    seen = keypoints[:, 2] >= min_score
    for inked in (False, True):  # all outlines first, so that none cuts a neighbour's line
        for a, b in LINKS:
            start, end = KEYPOINTS.index(a), KEYPOINTS.index(b)
            if seen[start] and seen[end]:
                colour = colours[side(a, b)] if inked else _OUTLINE
                ends = _place(keypoints[start, :2]), _place(keypoints[end, :2])
                cv2.line(drawn, *ends, colour, thick if inked else thick + 2, cv2.LINE_AA, _FINE)
    for k, name in enumerate(KEYPOINTS):
        colour = colours[side(name)] if seen[k] else SOFT
        radius = (1.0 if k < 5 else 1.5) * thick if seen[k] else 1.5  # the face's are close together
        for paint, more in ((_OUTLINE, 1), (colour, 0)):
            size = round((radius + more) * (1 << _FINE))
            cv2.circle(drawn, _place(keypoints[k, :2]), size, paint, cv2.FILLED, cv2.LINE_AA, _FINE)
    return drawn


def arrows(image: np.ndarray, vectors: np.ndarray, sides: Sequence[str]) -> np.ndarray:
    """For each cell, the strongest of L vectors as an arrow in the colour of its side, unless shorter than SHORT.

    vectors: float (L, 2, h, w), x right and y down, length about 1 on a limb, over the image's whole extent.
    sides: of the L, left, right or middle.
    """
    drawn = _mix(image, np.zeros_like(image), np.full(image.shape[:2], 0.55, np.float32))
    _, _, h, w = vectors.shape
    cell = np.array([image.shape[1] / w, image.shape[0] / h])
    length = np.hypot(vectors[:, 0], vectors[:, 1])  # (L, h, w)
    strongest = length.argmax(0)
    for i, j in np.argwhere(length.max(0) > SHORT):
        limb = strongest[i, j]
        centre = (np.array([j, i]) + 0.5) * cell
        half = vectors[limb, :, i, j] * (cell.min() * 0.48 / max(1.0, length[limb, i, j]))
        start, end, colour = centre - half, centre + half, SIDE_COLOURS[sides[limb]]
        cv2.line(drawn, _place(start), _place(end), colour, 1, cv2.LINE_AA, _FINE)
        cv2.circle(drawn, _place(end), 2 << _FINE, colour, cv2.FILLED, cv2.LINE_AA, _FINE)
    return drawn


def _place(xy: np.ndarray) -> tuple[int, int]:
    """Corner-based pixels as OpenCV's fixed-point numbers, which count from the centre of the first pixel."""
    x, y = np.rint((xy.astype(np.float64) - 0.5) * (1 << _FINE)).clip(-(2**19), 2**19)
    return int(x), int(y)
