"""Reading image files that may be broken."""

from pathlib import Path

import cv2
import numpy as np


def read_original(path: Path) -> np.ndarray | None:
    """The image in its own size, uint8 RGB (H, W, 3); None when it cannot be read whole.

    OpenCV decodes a cut JPEG to a picture that is grey from the cut on; a missing end marker gives that away.
    """
    try:
        data = path.read_bytes()
        if data.startswith(b"\xff\xd8") and b"\xff\xd9" not in data:
            return None
        return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB) if data else None
    except (OSError, cv2.error):
        return None
