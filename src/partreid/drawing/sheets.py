"""PNG contact sheets. All pictures are uint8 RGB (H, W, 3)."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from partreid.drawing.colours import Legend
from partreid.drawing.pictures import PAPER, SOFT, png, text, text_width
from partreid.storage.files import write_bytes

WIDTH = 1640  # pixels that a sheet's tiles fill at most, unless one alone is wider
ROWS = 8  # of tiles on a sheet
GAP = 4
_TOP, _BOTTOM, _SIDE = 42, 14, 16  # around a tile's panels: its lines of text, and the distance to the next tile


def tile(title: str, panels: Mapping[str, np.ndarray]) -> np.ndarray:
    """Panels of one image side by side, each with its caption, under a one-line title."""
    width = sum(one.shape[1] for one in panels.values()) + GAP * (len(panels) - 1)
    height = max(one.shape[0] for one in panels.values())
    picture = np.full((_TOP + height + _BOTTOM, width + _SIDE, 3), PAPER, np.uint8)
    text(picture, fitted(title, width, 13, 600), 0, 16, 13, 600)
    x = 0
    for caption, one in panels.items():
        text(picture, fitted(caption, one.shape[1], 12), x, 34, 12, colour=SOFT)
        picture[_TOP : _TOP + one.shape[0], x : x + one.shape[1]] = one
        x += one.shape[1] + GAP
    return picture


def fitted(words: str, width: int, size: int, weight: int = 400) -> str:
    """As much of the words as fits into `width` pixels."""
    if text_width(words, size, weight) <= width:
        return words
    while words and text_width(words + "…", size, weight) > width:
        words = words[:-1]
    return words + "…" if words else ""


def columns(tiles: Sequence[np.ndarray]) -> int:
    """How many of the widest tile fit side by side."""
    return max(1, WIDTH // max(one.shape[1] for one in tiles))


def sheet(heading: str, tiles: Sequence[np.ndarray], legend: Legend, note: str = "") -> np.ndarray:
    """Tiles in rows under a heading, the legend and a note below; tiles may differ in size."""
    per_row, cell = min(columns(tiles), len(tiles)), max(one.shape[1] for one in tiles)
    bands = [grid(tiles[i : i + per_row], cell) for i in range(0, len(tiles), per_row)]
    key = [words(note)] if note else []
    width = max(band.shape[1] for band in bands)
    stack = [words(heading, 15, 600), *bands, swatches(legend, width), *key]
    margin = 20
    return np.pad(column(stack), ((margin, margin), (margin, 4), (0, 0)), constant_values=255)


def grid(tiles: Sequence[np.ndarray], cell: int) -> np.ndarray:
    """Tiles side by side, their tops in line, each in a cell so wide."""
    height = max(one.shape[0] for one in tiles)
    return np.concatenate([_pad(one, height, cell) for one in tiles], 1)


def column(bands: Sequence[np.ndarray]) -> np.ndarray:
    """Pictures below each other, their left ends in line."""
    width = max(one.shape[1] for one in bands)
    return np.concatenate([_pad(one, one.shape[0], width) for one in bands])


def _pad(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    missing = ((0, height - picture.shape[0]), (0, width - picture.shape[1]), (0, 0))
    return np.pad(picture, missing, constant_values=255)


def words(line: str, size: int = 13, weight: int = 400) -> np.ndarray:
    """A line of text as a picture."""
    picture = np.full((2 * size, text_width(line, size, weight) + 2, 3), PAPER, np.uint8)
    text(picture, line, 0, round(1.3 * size), size, weight, SOFT if weight < 600 else (28, 30, 34))
    return picture


def swatches(legend: Legend, width: int) -> np.ndarray:
    """Coloured squares with what they stand for, as many lines as the width needs."""
    cell = max((text_width(name, 13) for name in legend), default=0) + 40
    per_row, line = max(1, width // cell), 24
    picture = np.full((line * -(-len(legend) // per_row), max(width, cell), 3), PAPER, np.uint8)
    for i, (name, colour) in enumerate(legend.items()):
        x, y = cell * (i % per_row), line * (i // per_row)
        picture[y + 5 : y + 19, x : x + 14] = (120, 120, 120)  # a rim: some colours are nearly white
        picture[y + 6 : y + 18, x + 1 : x + 13] = colour
        text(picture, name, x + 20, y + 17, 13)
    return picture


def write(folder: Path, heading: str, tiles: Sequence[np.ndarray], legend: Legend, note: str = "") -> list[Path]:
    """Write sheet.png, or sheet-1.png, sheet-2.png, ... where one is not enough; sheets of an earlier run go.

    Returns the paths written.
    """
    per_sheet = columns(tiles) * ROWS
    groups = [tiles[i : i + per_sheet] for i in range(0, len(tiles), per_sheet)]
    paths = [folder / ("sheet.png" if len(groups) == 1 else f"sheet-{n}.png") for n in range(1, len(groups) + 1)]
    for number, (path, group) in enumerate(zip(paths, groups, strict=True), 1):
        of = f", sheet {number} of {len(groups)}" if len(groups) > 1 else ""
        write_bytes(path, png(sheet(heading + of, group, legend, note)))
    for old in folder.iterdir():
        if re.fullmatch(r"sheet(-\d+)?\.png", old.name) and old not in paths:
            old.unlink()
    return paths
