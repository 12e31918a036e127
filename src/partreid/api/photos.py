"""What a model is given: files, arrays and pictures, as arrays."""

import io
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from partreid.errors import UserError, reason
from partreid.inputs.decoding import decoded

Photo = str | os.PathLike[str] | np.ndarray | Image.Image
ONE = (str, os.PathLike, Image.Image, bytes, io.IOBase)  # the last two only to be refused: photos can be looped over


def listed(photos: Any) -> list[Any]:
    """One photo or many as a list of photos. An array (N, H, W, 3) is N photos, as is one of N paths."""
    one = isinstance(photos, np.ndarray) and photos.ndim < 4 and photos.dtype.kind not in "OU"
    if one or isinstance(photos, ONE):
        return [photos]
    if not isinstance(photos, Iterable):
        raise UserError(f"expected photos, found {type(photos).__name__}: files, uint8 RGB arrays or PIL images")
    return list(photos)


def file_of(photo: Any) -> str | None:
    """Its file's path, if it is one."""
    return os.fspath(photo) if isinstance(photo, str | os.PathLike) else None


def array(photo: Any, place: int) -> np.ndarray:
    """One photo as uint8 RGB (H, W, 3). place: its number, for errors. UserError when it is none.

    Files and pictures are turned upright by their EXIF note. Grey becomes RGB; an alpha channel is dropped.
    """
    if isinstance(photo, str | os.PathLike):
        return _file(Path(photo))
    if isinstance(photo, Image.Image):
        return _picture(photo, place)
    found = _values(photo)
    if found is None or not found.ndim:
        kind = type(photo).__name__
        raise UserError(f"photo {place} is of type {kind}; photos are files' paths, uint8 RGB arrays or PIL images")
    if found.dtype != np.uint8:
        raise UserError(f"photo {place} is {found.dtype} {found.shape}; arrays are uint8, RGB in 0..255")
    if found.ndim == 2:
        found = np.repeat(found[:, :, None], 3, 2)
    if 0 in found.shape:
        raise UserError(f"photo {place} is empty, {found.shape}: cut out by a box that lies outside its frame?")
    if found.ndim != 3 or found.shape[2] not in (3, 4):
        raise UserError(
            f"photo {place} has the shape {found.shape}; arrays are (height, width, 3), RGB, or (height, width), grey, "
            "or (height, width, 4), RGBA"
        )
    return np.ascontiguousarray(found[:, :, :3])


def _values(photo: Any) -> np.ndarray | None:
    """What holds numbers as an array; None for what holds none."""
    if isinstance(photo, ONE):
        return None
    try:
        found = np.asarray(photo)
    except (ValueError, TypeError, RuntimeError):  # rows of unlike lengths; a tensor of a GPU, or one with gradients
        return None
    return found if found.dtype.kind in "biuf" else None


def _picture(picture: Image.Image, place: int) -> np.ndarray:
    try:
        return _rgb(ImageOps.exif_transpose(picture))
    except Exception as error:  # of damaged files, which it reads only now, Pillow raises whatever comes
        raise UserError(
            f"photo {place} is a PIL image that cannot be read ({reason(error)}): its file is damaged, cut short, or "
            "was closed before; its method load() reads it at once"
        ) from error


def _rgb(picture: Image.Image) -> np.ndarray:
    if picture.mode.startswith("I;16"):  # of which Pillow would make white: it cuts off what is larger than 255
        picture = Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
    return np.asarray(picture.convert("RGB"))


def _file(path: Path) -> np.ndarray:
    image = decoded(_bytes(path))
    if image is None:
        raise UserError(f"{path} is damaged, or no image file")
    return image


def _bytes(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise UserError(f"{path} is a folder; give the photos in it: sorted(Path(folder).rglob('*.jpg'))")
        if not path.is_file():
            raise UserError(f"no photo {path}")
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from error
