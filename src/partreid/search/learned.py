"""Which images of a gallery the model was trained on: their persons are found more easily than anybody else's."""

from collections.abc import Mapping
from typing import Any

from partreid.search.gallery import Gallery
from partreid.storage import files, image_table
from partreid.storage.places import Run


def learned(header: Mapping[str, Any], gallery: Gallery) -> int | None:
    """How many of the gallery's files are, byte for byte, images that trained the model; None where it cannot be told.

    header: of the weights. The image table of their training has to be here, and the gallery has to know its SHA-1s.
    """
    index = Run(header["model"], header["dataset"], header["dataset"]).index
    if not gallery.sha1 or not index.is_file() or header.get("table") != files.sha256(index):
        return None
    trained = {*image_table.select(image_table.read(index), "train")["sha1"].to_pylist()}
    return sum(each in trained for each in gallery.sha1)


def told(count: int | None, images: int) -> str:
    """What to say of it; nothing where none trained. images: of the gallery."""
    if count is None:
        return (
            "Whether images of the gallery trained this model cannot be told here; persons of a training are found "
            "more easily than others."
        )
    if not count:
        return ""
    return (
        f"{count:,} of the gallery's {images:,} images trained this model: their persons are found more easily than "
        "others, so what stands here does not show how it finds people whom it has not seen."
    )
