"""What the report takes from the data set, the label caches and the trained method."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch

from partreid.drawing.label_views import VIEWS
from partreid.drawing.pictures import fit
from partreid.errors import UserError, choose
from partreid.inference import load_inputs
from partreid.inputs import kinds
from partreid.inputs.batch import Inputs
from partreid.inputs.kinds import Label
from partreid.labels import LABELS
from partreid.methods.base import Trained
from partreid.report.attention import Looks
from partreid.storage import image_table
from partreid.storage.cache import OK, Cache
from partreid.tools.reading import picture


class Album:
    """The images of a data set by image id, read when first asked for; thumbnails are kept.

    table: the image table. root: the folder its paths are relative to. height, width: of a thumbnail in pixels.
    """

    def __init__(self, table: pa.Table, root: Path, height: int = 160, width: int = 80):
        self.root, self.height, self.width = root, height, width
        self.paths: list[str] = table["path"].to_pylist()
        self._called = image_table.called(table)
        self._thumbs: dict[int, np.ndarray] = {}

    def image(self, image_id: int) -> np.ndarray:
        """RGB uint8 (H, W, 3) in the file's size. UserError when it cannot be read."""
        image = picture(self.root / self.paths[image_id])
        if image is None:
            path = self.root / self.paths[image_id]
            raise UserError(
                f"cannot read image {path}; it was readable when the data set was indexed: rebuild the index"
            )
        return image

    def thumb(self, image_id: int) -> np.ndarray:
        """The image fitted into (height, width, 3)."""
        if image_id not in self._thumbs:
            self._thumbs[image_id] = fit(self.image(image_id), self.height, self.width)
        return self._thumbs[image_id]

    def name(self, image_id: int) -> str:
        """Person and camera, by name where the image table has names."""
        return self._called[image_id]


def labels_at_test(trained: Trained, dataset: str, index: Path, image_ids: np.ndarray) -> dict[str, Label]:
    """The labels of the kinds that the method needs in a test, a row per image. index: the image table of `dataset`."""
    return {
        kind: kinds.read(kind, LABELS[kind].file(kind, dataset), index, image_ids)
        for kind in trained.method.labels_at_test
    }


def inputs(trained: Trained, album: Album, labels: Mapping[str, Label], image_ids: np.ndarray) -> Inputs:
    """The images as the network takes them in a test, with labels that have a row per image; on the CPU."""
    paths = [album.paths[image_id] for image_id in image_ids]
    return load_inputs(album.root, paths, labels, np.arange(len(paths)), trained.height, trained.width)


def looks(trained: Trained, album: Album, labels: Mapping[str, Label], image_ids: np.ndarray) -> Looks:
    """The method's maps and visibility of the images; the rest of the attention picture but the labels.

    labels: as `labels_at_test` reads them.
    """
    with torch.inference_mode():
        given = inputs(trained, album, labels, image_ids)
        maps, (_, visibility) = trained.method.maps(given), trained.method.embed(given)
    return Looks(trained.method.part_names(), image_ids, maps.float().numpy(), visibility.numpy() > 0.5)


def labels(
    kind: str, cache: Cache, album: Album, image_ids: np.ndarray, parts: int | str
) -> Sequence[np.ndarray | None]:
    """The label of each image drawn over it; None where the tool found nobody."""
    view = choose(VIEWS, kind, "label")
    values = {name: cache.rows(name, image_ids) for name in view.members}
    drawn: list[np.ndarray | None] = []
    for row, image_id in enumerate(image_ids.tolist()):
        ok = cache.status[image_id] == OK
        of_image = {name: array[row] for name, array in values.items()}
        image = album.image(image_id)
        drawn.append(view.draw(image, of_image, header=cache.header, parts=parts)[view.main] if ok else None)
    return drawn
