"""Photos that a browser sends: checked before they are decoded, and kept in memory for a while, never on disk."""

import io
import secrets
import sys
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from PIL import Image
from starlette.exceptions import HTTPException

from partreid.api.people import People
from partreid.api.photos import array
from partreid.errors import UserError

FORMATS = ("JPEG", "PNG", "WEBP", "BMP")  # what alone is looked into, whatever a file calls itself
MOST_BYTES = 32 * 2**20
MOST_PIXELS = 50_000_000  # read from the header; decoded, 150 MB
SIDE = 4096  # pixels of the longer side, to which larger photos are reduced
KEPT = 6  # photos, of at most 50 MB each
BOXES = 100  # of a photo whose embeddings are kept
LEAST = 8  # pixels of a box's sides

Box = tuple[int, int, int, int]  # x0, y0, x1, y1 in pixels


@dataclass(frozen=True)
class Photo:
    """image: uint8 RGB (H, W, 3), upright. embedded: what was asked for, by its box."""

    image: np.ndarray
    embedded: dict[Box, People] = field(default_factory=dict)


class Photos:
    """The KEPT last photos by a name that cannot be guessed. Threads may share it."""

    def __init__(self) -> None:
        self._photos: OrderedDict[str, Photo] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, image: np.ndarray) -> str:
        """Keep a photo; its name."""
        name = secrets.token_urlsafe(12)
        with self._lock:
            self._photos[name] = Photo(image)
            while len(self._photos) > KEPT:
                self._photos.popitem(last=False)
        return name

    def get(self, name: str) -> Photo:
        """A photo that is still kept; else status 404."""
        with self._lock:
            if name not in self._photos:
                raise HTTPException(404, "this photo is no longer kept; give it again")
            self._photos.move_to_end(name)
            return self._photos[name]


def decoded(data: bytes) -> np.ndarray:
    """uint8 RGB (H, W, 3), turned as its EXIF says. UserError when it is no photo, damaged, or too large.

    The size is that of the header, before anything is decoded; one library reads both, so they cannot disagree.
    """
    try:
        picture = Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise _too_large("far more") from error
    except Exception as error:  # of damaged headers Pillow raises whatever comes: SyntaxError, struct.error, ...
        raise UserError("this is no JPEG, PNG, WebP or BMP picture; save it as one of these") from error
    if picture.width * picture.height > MOST_PIXELS:
        raise _too_large(f"{picture.width * picture.height / 1e6:.0f}")
    try:
        image = array(picture, 0)
    except Exception as error:
        raise UserError("this picture is damaged or cut short; save it anew") from error
    return reduced(image, SIDE)


def _too_large(found: str) -> UserError:
    return UserError(f"this picture has {found} million pixels, at most {MOST_PIXELS // 10**6} are taken; reduce it")


def boxed(image: np.ndarray, box: Any) -> Box:
    """A box that was asked for, in whole pixels inside the photo; None is all of it. UserError when it is none."""
    height, width = image.shape[:2]
    if box is None:
        return 0, 0, width, height
    if not (isinstance(box, list) and len(box) == 4 and all(map(number, box))):
        raise UserError("a box is four numbers: left, top, right, bottom, in pixels")
    left, top, right, bottom = map(float, box)
    x0, x1 = (int(each) for each in np.rint(np.clip([left, right], 0, width)))
    y0, y1 = (int(each) for each in np.rint(np.clip([top, bottom], 0, height)))
    if x1 - x0 < LEAST or y1 - y0 < LEAST:
        raise UserError(f"this box is too small: draw one of {LEAST} x {LEAST} pixels or more, inside the photo")
    return x0, y0, x1, y1


def number(value: Any) -> bool:
    """Whether what JSON holds is a number that a float can be: its whole numbers may have thousands of digits."""
    return isinstance(value, int | float) and abs(value) <= sys.float_info.max


def reduced(image: np.ndarray, side: int) -> np.ndarray:
    """The image with its longer side at most `side` pixels."""
    scale = side / max(image.shape[:2])
    if scale >= 1:
        return image
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)
