"""Parsings that SCHP (or another human parser with the same classes) wrote elsewhere, one PNG per image.

File names: `x.png`, as SCHP's simple_extractor.py writes them, of any size, over the image's extent. The class of a
pixel is the palette's index of an indexed PNG, or the value of a grey one with 8 bits. In an RGB PNG, which is what
image libraries make of an indexed one when they copy it, the colours must be those of SCHP's palette (Pascal VOC's).
An indexed PNG says the class twice where its palette has these colours. Optimisers and a round trip through RGB sort
the palette anew, so where all colours in use are known ones, the colours count; where only some are and they stand at
other places than their own, index and colour contradict each other, and the file is damaged. Other colours say nothing.

classes: whose: `pascal` (7 classes), `lip` (20) or `atr` (18). They are counted as classes of Pascal-Person-Part by the
tables of partreid.tools.schp, which say what gets lost.

`person` is 255 times the share of a cell that is not background, `parsing` the class that covers most of it. `score`
and `missing` as in tool `schp`, with these shares for probabilities.
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image  # OpenCV turns indexed PNGs into colours

from partreid.body.parsing import PARSING
from partreid.errors import choose, reason
from partreid.labels import geometry
from partreid.storage import cache
from partreid.storage.pieces import Work
from partreid.tools import imported
from partreid.tools.base import Images
from partreid.tools.schp import ATR, LIP, MIN_SHARE, PASCAL, SIZE, judge, matrix

VERSION = "2"  # raise when the output changes
GIVES = ("parsing", "person")
TOOL = "schp_files"
ENDINGS = (".png",)
CLASSES = {"pascal": PASCAL, "lip": LIP, "atr": ATR}


def build(images: Images, *, folders: dict[str, Any], classes: str) -> tuple[dict[str, Any], Work]:
    """See partreid.tools. folders: data set -> folder with its files, at any depth, or split -> folder.

    classes: a key of CLASSES.
    """
    choose(CLASSES, classes, "classes (tools.schp_files.classes)")
    source = imported.find(images, TOOL, folders, ENDINGS)
    parameters = {"classes": classes, "min_share": MIN_SHARE}
    head = cache.header(f"tool/{TOOL}", TOOL, VERSION, None, parameters, images.sha256)
    blank = {name: np.zeros(SIZE, np.uint8) for name in GIVES}
    return imported.build(head, source, images, partial(read, classes), blank)


def read(classes: str, file: Path, height: int, width: int) -> Mapping[str, Any] | None:  # noqa: ARG001
    """Score, parsing and person of one image; None where hardly any person is. See imported.Read."""
    table = CLASSES[classes]
    found = indices(file, len(table))
    classes_here = matrix(table).argmax(1)[found]  # (H, W), of PARSING
    shares = np.concatenate([geometry.resample((classes_here == c)[None], *SIZE) for c in range(len(PARSING))])
    parsing, person = shares.argmax(0).astype(np.uint8), 1 - shares[0]
    status, score = judge(parsing[None], person[None])
    if status[0] != cache.OK:
        return None
    return {"score": score[0], "parsing": parsing, "person": np.rint(255 * person.clip(0, 1))}


def indices(file: Path, classes: int) -> np.ndarray:
    """The class of every pixel of a PNG, uint8 (H, W), all below `classes`. ValueError when they are not."""
    with _opened(file) as image:
        if image.format != "PNG":
            raise ValueError(f"it is {image.format}, expected PNG: others do not keep classes exactly")
        values = np.asarray(image)
        mode = image.mode
        entries = np.array(image.getpalette("RGB") if mode == "P" else [], np.uint8).reshape(-1, 3)
    if mode == "P":
        values = by_palette(values, entries, classes)
    if mode in ("P", "L"):
        if values.max() >= classes:
            raise ValueError(f"it holds class {values.max()}, expected 0 to {classes - 1}; is `classes` right?")
        return values
    if mode not in ("RGB", "RGBA"):
        raise ValueError(f"its pixels are {mode}, expected indexed, 8-bit grey or RGB ones")
    codes = _code(values)
    known = _code(palette(classes))
    order = np.argsort(known)
    place = np.searchsorted(known[order], codes).clip(0, classes - 1)
    result = order[place].astype(np.uint8)
    if (strange := known[result] != codes).any():
        red, green, blue = values[strange][0][:3].tolist()
        raise ValueError(
            f"it is coloured, and ({red}, {green}, {blue}) is none of the first {classes} colours of SCHP's palette; "
            "expected an indexed PNG whose indices are the classes"
        )
    return result


def _opened(file: Path) -> Image.Image:
    """The image, not yet read. ValueError where it claims so many pixels that Pillow refuses to read them."""
    try:
        return Image.open(file)
    except Image.DecompressionBombError as error:  # none of what other damage raises
        raise ValueError(reason(error)) from error


def by_palette(values: np.ndarray, entries: np.ndarray, classes: int) -> np.ndarray:
    """The class of every pixel of an indexed PNG, uint8 (H, W): see the module's docstring.

    values: uint8 (H, W), indices. entries: uint8 (n, 3), the palette, RGB. ValueError where both contradict.
    """
    used = np.unique(values)
    if used[-1] >= len(entries):
        raise ValueError(f"it holds index {used[-1]}, but its palette has {len(entries)} colours")
    known = {code: place for place, code in enumerate(_code(palette(classes)).tolist())}
    meant = [known.get(code) for code in _code(entries[used]).tolist()]
    moved = [(index, place) for index, place in zip(used.tolist(), meant, strict=True) if place not in (None, index)]
    if not moved:
        return values
    if None in meant:
        index, place = moved[0]
        strange = used[meant.index(None)]
        raise ValueError(
            f"its indices and its palette contradict each other: index {index} has the colour of class {place}, but "
            f"index {strange} has {tuple(entries[strange].tolist())}, which is none of the first {classes} colours of "
            "SCHP's palette; write it anew with the classes as indices"
        )
    table = np.zeros(256, np.uint8)
    table[used] = np.array(meant, np.uint8)
    return table[values]


def _code(colours: np.ndarray) -> np.ndarray:
    """(..., >= 3) uint8 -> (...) int, different for different colours."""
    return colours[..., :3].astype(np.int64) @ (65536, 256, 1)


def palette(classes: int) -> np.ndarray:
    """Pascal VOC's colours, which SCHP's PNGs have: uint8 (classes, 3), RGB.

    Bit 3 i + k of the class, counted from the lowest, is bit 7 - i of colour k.
    """
    number = np.arange(classes)
    colours = np.zeros((classes, 3), np.uint8)
    for i in range(8):
        for k in range(3):
            colours[:, k] |= (((number >> (3 * i + k)) & 1) << (7 - i)).astype(np.uint8)
    return colours
