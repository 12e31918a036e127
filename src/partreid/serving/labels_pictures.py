"""One image with its labels, drawn when it is asked for."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from partreid.drawing import label_pictures
from partreid.drawing.label_marks import HEIGHT, panel_width
from partreid.drawing.label_views import VIEWS
from partreid.drawing.pictures import GREY, jpeg
from partreid.inspection.page import QUALITY, uri
from partreid.quality.images import Images
from partreid.serving.labels_shelf import Opened, Shelf
from partreid.storage.cache import OK, STATUS

GAP = 2  # pixels between the pictures of a strip


def strip(shelf: Shelf, labels: Sequence[Opened], row: int, parts: str) -> bytes:
    """JPEG: the photo, and beside it what stands for the label from each of the sources."""
    return shelf.picture(labels, (row, parts), lambda: _strip(shelf, labels, row, parts))


def _strip(shelf: Shelf, labels: Sequence[Opened], row: int, parts: str) -> bytes:
    images = labels[0].of.images
    photo = images.read(row)
    pictures = [label_pictures.original(photo)]
    for opened in labels:
        drawn = _drawn(shelf, opened, photo, row, parts)[1]
        pictures.append(drawn.get(VIEWS[opened.label].main, next(iter(drawn.values()))))
    line = np.full((HEIGHT, GAP, 3), GREY, np.uint8)
    return jpeg(np.concatenate([each for picture in pictures for each in (line, picture)][1:], 1), QUALITY)


def strip_width(images: Images, row: int, count: int) -> int:
    """Of the strip of an image with `count` sources in pixels, if the photo can be read."""
    width = panel_width(images.table["height"][row].as_py(), images.table["width"][row].as_py())
    return (1 + count) * (width + GAP) - GAP


def photo(images: Images, row: int) -> str:
    """The photo as a data URI."""
    return uri(label_pictures.original(images.read(row)))


def label(shelf: Shelf, opened: Opened, row: int, parts: str) -> dict[str, Any]:
    """All pictures of an image's label from one source, and what else there is to say of it."""
    status, drawn = _drawn(shelf, opened, opened.of.images.read(row), row, parts)
    return {
        "version": opened.side.header["tool_version"],
        "status": STATUS[status],
        "score": float(opened.score[row]),
        "pictures": [{"caption": caption, "uri": uri(picture)} for caption, picture in drawn.items()],
    }


def _drawn(
    shelf: Shelf, opened: Opened, image: np.ndarray | None, row: int, parts: str
) -> tuple[int, dict[str, np.ndarray]]:
    """Status and pictures of an image's label."""
    status, values = int(opened.status[row]), {}
    if status == OK:  # else there is nothing to draw, and maps are slow to read
        with shelf.reading:
            values = {name: array[0] for name, array in opened.side.arrays(np.array([row])).items()}
        status = int(values["status"])
    about = {"header": opened.side.header, "parts": parts}
    return status, label_pictures.label(VIEWS[opened.label], image, values, status, **about)
