"""The one decoder of image files; it needs no torch, so that the processes of tools do not load it."""

import cv2
import numpy as np

from partreid.errors import UserError


def decoded(data: bytes) -> np.ndarray | None:
    """The image in a file's bytes, uint8 RGB (H, W, 3), turned as its EXIF says; None when they are no image.

    UserError when it does not fit into memory, which says nothing of the image.
    """
    if not data:
        return None
    try:
        return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    except cv2.error as error:  # among them sizes that no image has
        if error.code == cv2.Error.STS_NO_MEM:
            raise UserError("an image does not fit into memory; run the same command again with more") from error
        return None
