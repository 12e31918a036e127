"""What a model is given: files, arrays and pictures, as arrays."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from partreid.errors import UserError
from partreid.inputs.images import read_image

Photo = str | Path | np.ndarray | Image.Image


def listed(photos: Any) -> list[Any]:
    """One photo or many as a list of photos. An array (N, H, W, 3) is N photos."""
    if isinstance(photos, str | Path | Image.Image) or (isinstance(photos, np.ndarray) and photos.ndim < 4):
        return [photos]
    if not isinstance(photos, Iterable):
        raise UserError(f"expected photos, found {type(photos).__name__}: files, uint8 RGB arrays or PIL images")
    return list(photos)


def file_of(photo: Any) -> str | None:
    """Its file's path, if it is one."""
    return str(photo) if isinstance(photo, str | Path) else None


def array(photo: Any, place: int) -> np.ndarray:
    """One photo as uint8 RGB (H, W, 3). place: its number, for errors. UserError when it is none.

    Files and pictures are turned upright by their EXIF note. Grey becomes RGB; an alpha channel is dropped.
    """
    if isinstance(photo, str | Path):
        return _file(Path(photo))
    if isinstance(photo, Image.Image):
        return _rgb(ImageOps.exif_transpose(photo))
    found = np.asarray(photo)
    if found.dtype != np.uint8:
        raise UserError(f"photo {place} is {found.dtype} {found.shape}; arrays are uint8, RGB in 0..255")
    if found.ndim == 2:
        found = np.repeat(found[:, :, None], 3, 2)
    if found.ndim != 3 or found.shape[2] not in (3, 4) or 0 in found.shape:
        raise UserError(
            f"photo {place} has the shape {found.shape}; arrays are (height, width, 3), RGB, or (height, width), grey, "
            "or (height, width, 4), RGBA"
        )
    return np.ascontiguousarray(found[:, :, :3])


def _rgb(picture: Image.Image) -> np.ndarray:
    if picture.mode.startswith("I;16"):  # of which Pillow would make white: it cuts off what is larger than 255
        picture = Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
    return np.asarray(picture.convert("RGB"))


def _file(path: Path) -> np.ndarray:
    if not path.is_file():
        raise UserError(f"no photo {path}")
    try:
        return read_image(path)
    except UserError as error:
        raise UserError(f"{path} is damaged, or no image file") from error
