"""Rendered people made harder and more various than the renderer makes them, for training partreid.tools.body_parts.

By chance: another ground behind the person; another person beside, behind or in front; things in front, from below,
from a side, upright or anywhere, with what another picture shows, coloured cells or one colour; another box around it,
which may cut the body; other light; and what surveillance cameras do: blur, few pixels, noise, JPEG. The truth knows
what hides the person.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from partreid.body.parsing import PARSING
from partreid.tools.evidence import FINE

SIZE = (256, 128)  # rows, columns that scenes are made in
GROUND, OTHER, THINGS, BOX, BLUR = 0.25, 0.4, 0.4, 0.5, 0.5  # how often
FRONT = 0.45  # of the other people are in front
HEIGHTS = (72, 96, 128, 128, 128, 160, 256)  # rows of a finished picture
QUALITY = (45, 97)  # of JPEG


@dataclass(frozen=True)
class Shown:
    """A picture and the truth about it."""

    image: np.ndarray  # uint8 RGB (*SIZE, 3) before, (h, h / 2, 3) after
    parsing: np.ndarray  # uint8 (*FINE)
    person: np.ndarray  # uint8 (*FINE), 255 times how much of the cell shows the person
    keypoints: np.ndarray  # float32 (17, 3): x, y in pixels of the image, 1 seen or 0


def harder(given: Shown, others: Sequence[Shown], rng: np.random.Generator) -> Shown:
    """`given` in another scene. others: pictures whose people and whatever else they show may come in."""
    image, keypoints = given.image.astype(np.float32), given.keypoints.copy()
    parts = _parts(given)
    if rng.random() < GROUND:
        kept = cv2.GaussianBlur(_covered(given.person), (0, 0), 0.7)[..., None]
        image = image * kept + _filling(others, rng) * (1 - kept)
    if rng.random() < OTHER:
        person, cover = _moved(others[int(rng.integers(len(others)))], rng)
        front = rng.random() < FRONT
        cover = cover if front else cover * (1 - parts.sum(-1))
        image = image * (1 - cover[..., None]) + person * cover[..., None]
        if front:
            parts *= (1 - cover)[..., None]
            _hide(keypoints, cover)
    if rng.random() < THINGS:
        for _ in range(rng.integers(1, 3)):
            cover = _outline(rng)
            image = image * (1 - cover[..., None]) + _filling(others, rng) * cover[..., None]
            parts *= (1 - cover)[..., None]
            _hide(keypoints, cover)
    if rng.random() < BOX:
        image, parts = _boxed(image, parts, keypoints, rng)
    image = _coded(_lit(image, rng), rng)
    keypoints[:, :2] *= image.shape[0] / SIZE[0]
    small = cv2.resize(parts, FINE[::-1], interpolation=cv2.INTER_AREA)
    person = small.sum(-1).clip(0, 1)
    parsing = np.where(person >= 0.5, small.argmax(-1) + 1, 0).astype(np.uint8)
    return Shown(image, parsing, np.rint(255 * person).astype(np.uint8), keypoints)


def mirrored(given: Shown, partners: Sequence[int]) -> Shown:
    """The mirror image; partners: of each keypoint, the one that it becomes."""
    keypoints = given.keypoints[list(partners)]
    keypoints[:, 0] = given.image.shape[1] - keypoints[:, 0]
    image = np.ascontiguousarray(given.image[:, ::-1])
    return Shown(image, given.parsing[:, ::-1], given.person[:, ::-1], keypoints)


def _parts(given: Shown) -> np.ndarray:
    """How much of each pixel shows each part: float32 (*SIZE, classes without the background)."""
    parsing = cv2.resize(given.parsing, SIZE[::-1], interpolation=cv2.INTER_NEAREST)
    each = [parsing == part for part in range(1, len(PARSING))]
    return (np.stack(each, -1) * _covered(given.person)[..., None]).astype(np.float32)


def _covered(person: np.ndarray) -> np.ndarray:
    return cv2.resize(person.astype(np.float32) / 255, SIZE[::-1])


def _hide(keypoints: np.ndarray, cover: np.ndarray) -> None:
    rows, columns = SIZE
    x, y = keypoints[:, 0].astype(int), keypoints[:, 1].astype(int)
    inside = (x >= 0) & (x < columns) & (y >= 0) & (y < rows)
    keypoints[inside & (cover[y.clip(0, rows - 1), x.clip(0, columns - 1)] > 0.5), 2] = 0


def _moved(other: Shown, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Another's picture, larger or smaller and to a side, and where its person is: (*SIZE, 3), (*SIZE)."""
    rows, columns = SIZE
    scale = rng.uniform(0.6, 1.25)
    aside, down = rng.uniform(0.3, 0.75) * columns * rng.choice([-1, 1]), rng.uniform(-0.15, 0.3) * rows
    way = np.array([[scale, 0, (1 - scale) * columns / 2 + aside], [0, scale, (1 - scale) * 0.8 * rows + down]])
    return tuple(
        cv2.warpAffine(maps, way, SIZE[::-1]) for maps in (other.image.astype(np.float32), _covered(other.person))
    )


def _outline(rng: np.random.Generator) -> np.ndarray:
    """Where something is that hides the person: float32 (*SIZE), 0 to 1."""
    rows, columns = SIZE
    cover = np.zeros(SIZE, np.float32)
    kind = rng.choice(["below", "post", "side", "above", "blob"], p=[0.35, 0.15, 0.1, 0.1, 0.3])
    if kind == "below":
        top, slope = rng.uniform(0.35, 0.85) * rows, rng.uniform(-0.25, 0.25) * columns
        _polygon(cover, [[-5, top - slope], [columns + 5, top + slope], [columns + 5, rows + 5], [-5, rows + 5]])
        if rng.random() < 0.4:
            cover[:, : int(rng.uniform(0, 0.5) * columns)] = 0
    elif kind == "post":
        x, half, lean = (
            rng.uniform(0.1, 0.9) * columns,
            rng.uniform(0.03, 0.17) * columns,
            rng.uniform(-0.1, 0.1) * columns,
        )
        _polygon(cover, [[x - half, -5], [x + half, -5], [x + half + lean, rows + 5], [x - half + lean, rows + 5]])
    elif kind == "side":
        cover[:, : int(rng.uniform(0.1, 0.45) * columns)] = 1
        cover = cover[:, :: int(rng.choice([-1, 1]))].copy()
        cover[: int(rng.uniform(0, 0.5) * rows)] = 0
    elif kind == "above":
        cover[: int(rng.uniform(0.08, 0.4) * rows)] = 1
    else:
        corners = int(rng.integers(3, 9))
        angle = np.sort(rng.uniform(0, 2 * np.pi, corners))
        reach = rng.uniform(0.1, 0.4) * columns * rng.uniform(0.6, 1.4, corners)
        across = rng.uniform(0, columns) + reach * np.cos(angle)
        down = rng.uniform(0.1, 1) * rows + reach * rng.uniform(0.8, 2) * np.sin(angle)
        _polygon(cover, np.stack([across, down], 1))
    return cv2.GaussianBlur(cover, (0, 0), rng.uniform(0.4, 1.2))


def _polygon(cover: np.ndarray, corners: Sequence | np.ndarray) -> None:
    cv2.fillPoly(cover, [np.asarray(corners, np.int32)], 1.0)


def _filling(others: Sequence[Shown], rng: np.random.Generator) -> np.ndarray:
    """What something may look like: float32 (*SIZE, 3)."""
    rows, columns = SIZE
    kind = rng.choice(["picture", "plain", "cells"], p=[0.55, 0.15, 0.3])
    if kind == "picture":
        image = others[int(rng.integers(len(others)))].image
        h, w = rng.integers(40, 200), rng.integers(20, 100)
        y, x = rng.integers(rows - h), rng.integers(columns - w)
        piece = cv2.resize(image[y : y + h, x : x + w], SIZE[::-1]).astype(np.float32)
        return piece[:, :: int(rng.choice([-1, 1]))] * np.float32(rng.uniform(0.6, 1.3))
    colour = rng.uniform(0, 255, 3).astype(np.float32)
    if kind == "plain":
        return colour + rng.normal(0, rng.uniform(0, 12), (*SIZE, 1)).astype(np.float32)
    cells = rng.uniform(0, 255, (rng.integers(2, 24), rng.integers(2, 12), 3)).astype(np.float32)
    cells = cells * np.float32(rng.uniform(0.2, 1)) + colour * np.float32(rng.uniform(0, 0.6))
    method = cv2.INTER_LINEAR if rng.random() < 0.5 else cv2.INTER_NEAREST
    return cv2.resize(cells, SIZE[::-1], interpolation=method)


def _boxed(
    image: np.ndarray, parts: np.ndarray, keypoints: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Another box around the same; keypoints are changed in place."""
    rows, columns = SIZE
    tall = rng.uniform(0.85, 1.35)
    wide = tall * rng.uniform(0.9, 1.12)
    x, y = rng.uniform(0.42, 0.58) * columns, rng.uniform(0.4, 0.6) * rows
    if tall > 1 and rng.random() < 0.6:
        y = rng.uniform(0.5 / tall, 1 - 0.5 / tall) * rows
    way = np.array([[wide, 0, columns / 2 - wide * x], [0, tall, rows / 2 - tall * y]])
    keypoints[:, :2] = keypoints[:, :2] * [wide, tall] + way[:, 2]
    outside = (keypoints[:, :2] < 0).any(1) | (keypoints[:, :2] >= SIZE[::-1]).any(1)
    keypoints[outside, 2] = 0
    image = cv2.warpAffine(image, way, SIZE[::-1], borderMode=cv2.BORDER_REPLICATE)
    return image, cv2.warpAffine(parts, way, SIZE[::-1])


def _lit(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Another gamma, contrast, brightness, tint and saturation."""
    image = 255 * (image.clip(0, 255) / 255) ** np.exp(rng.normal(0, 0.25))
    mean = image.mean()
    image = (image - mean) * rng.uniform(0.6, 1.25) + mean + rng.normal(0, 18)
    image = image * np.exp(rng.normal(0, 0.07, 3))
    grey = image.mean(-1, keepdims=True)
    return grey + (image - grey) * rng.uniform(0.3, 1.3)


def _coded(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Blur, another resolution, noise and JPEG: uint8 (h, h / 2, 3)."""
    if rng.random() < BLUR:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 2.2), sigmaY=rng.uniform(0.4, 2.2))
    height = int(rng.choice(HEIGHTS))
    image = cv2.resize(image, (height // 2, height), interpolation=cv2.INTER_AREA)
    image = (image + rng.normal(0, rng.uniform(0, 7), image.shape)).clip(0, 255).astype(np.uint8)
    data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(*QUALITY))])[1]
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))
