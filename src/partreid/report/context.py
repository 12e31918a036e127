"""What a method's own figures (partreid.report.figures) are made from, and what they are."""

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa

from partreid.inputs.batch import Inputs
from partreid.inputs.kinds import Label
from partreid.methods.base import Method, Trained
from partreid.report import gather
from partreid.report.gather import Album

M = TypeVar("M", bound=Method)


@dataclass(frozen=True)
class Context:
    """What a figure may be made from.

    table: the image table, read from `index`. image_ids: of the test images that the attention section shows.
    dataset: its name, by which label caches are found. seed: of what is drawn.
    """

    trained: Trained
    album: Album
    table: pa.Table
    index: Path
    image_ids: np.ndarray
    dataset: str
    seed: int

    def method(self, kind: type[M]) -> M:
        """The trained method, which is of this kind: figures.of asks no other."""
        method = self.trained.method
        if not isinstance(method, kind):
            raise TypeError(f"a figure of {kind.__name__} was asked of {type(method).__name__}")
        return method

    def labels_at_test(self, image_ids: np.ndarray) -> dict[str, Label]:
        """The labels of the kinds that the method needs in a test, a row per image."""
        return gather.labels_at_test(self.trained, self.dataset, self.index, image_ids)

    def inputs(self, image_ids: np.ndarray) -> Inputs:
        """The images, with these labels, as the network takes them in a test."""
        return gather.inputs(self.trained, self.album, self.labels_at_test(image_ids), image_ids)


@dataclass(frozen=True)
class Figure:
    """picture: RGB uint8 (H, W, 3). caption: what it shows, after which figure of which paper."""

    title: str
    caption: str
    picture: np.ndarray
