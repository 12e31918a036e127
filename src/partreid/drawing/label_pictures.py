"""One image with its label, as pictures by caption. All are uint8 RGB (H, W, 3)."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from partreid.drawing.label_marks import HEIGHT, blank, panel
from partreid.drawing.label_views import View
from partreid.storage.cache import FAILED, OK


def original(image: np.ndarray | None) -> np.ndarray:
    """The image as a panel, or a plain one that says that it cannot be read."""
    return blank(HEIGHT, HEIGHT // 2, "cannot be read") if image is None else panel(image)


def label(
    view: View, image: np.ndarray | None, values: Mapping[str, np.ndarray], status: int, **about: Any
) -> dict[str, np.ndarray]:
    """The pictures of the label, or one plain panel that says why there is none. about: as View.draw takes it."""
    if image is None or status != OK:
        words = "no image" if status == OK else "failed" if status == FAILED else view.missing
        width = HEIGHT // 2 if image is None else panel(image).shape[1]
        return {"label": blank(HEIGHT, width, words)}
    return view.draw(image, values, **about)
