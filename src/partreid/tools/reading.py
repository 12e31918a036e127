"""Reading image files that may be broken."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa

from partreid.errors import UserError
from partreid.inputs.decoding import decoded
from partreid.storage.files import image_bytes

SHOWN = 10  # damaged images that are named


def read_original(path: Path) -> np.ndarray | None:
    """The image in its own size, uint8 RGB (H, W, 3); None when its bytes are damaged.

    UserError when the file cannot be read now, which says nothing of the image.
    """
    return _whole(image_bytes(path))


def _whole(data: bytes) -> np.ndarray | None:
    """The image in a file's bytes; None when they are no whole image.

    OpenCV decodes a cut JPEG to a picture that is grey from the cut on; a missing end marker gives that away.
    """
    if data.startswith(b"\xff\xd8") and b"\xff\xd9" not in data:
        return None
    return decoded(data)


def picture(path: Path) -> np.ndarray | None:
    """As read_original, for a page that shows it: None too when the file cannot be read now."""
    try:
        return read_original(path)
    except UserError:
        return None


def damaged(root: Path, table: pa.Table, rows: Iterable[int]) -> list[str]:
    """Which images of an image table, of those given by row, are damaged in themselves: "path: how", in order."""
    names, digests = table["path"], table["sha1"]
    found = []
    for row in rows:
        path, data = names[row].as_py(), image_bytes(root / names[row].as_py())
        if hashlib.sha1(data).hexdigest() != digests[row].as_py():
            found.append(f"{path}: the file has changed since the data set was indexed")
        elif _whole(data) is None:
            found.append(f"{path}: the file is cut")
    return found


def told(lines: list[str]) -> str:
    """The damaged images as a warning; "" where there are none."""
    if not lines:
        return ""
    more = [f"  ... and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    shown = "\n".join([f"  {line}" for line in lines[:SHOWN]] + more)
    return f"warning: {len(lines)} images are damaged, so they are `failed`:\n{shown}"
