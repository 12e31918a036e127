"""The work of stages/embed.py: a data set's images through a trained method, in pieces that survive a kill.

A piece is a few batches, and a batch has the same images whatever was finished before, so that a float is the same too.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from partreid import inference, memory, methods
from partreid.errors import UserError
from partreid.inputs.kinds import read
from partreid.methods.base import Trained
from partreid.storage import embeddings, files, image_table, pieces, source
from partreid.storage.cache import OK
from partreid.storage.embeddings import Embeddings
from partreid.training import precision as arithmetic

BATCHES = 4  # of a piece: the images of one are read while the network is at work on those of the one before
_loaded: dict[str, Trained] = {}  # in this process: a trained method, by its weights' SHA-256


@dataclass(frozen=True)
class Embedding:
    """Work of partreid.storage.pieces: (start, stop) -> embeddings of those rows of the table.

    All of it pickles; the network is loaded where the work is done, once in every process. sha256: of the weights.
    at_test: what Trained.use takes. table: image_id and path, relative to root, of N images of the table file `index`.
    labels: files of the kinds that the method needs. device: cpu or cuda. precision: not auto.
    """

    weights: Path
    sha256: str
    at_test: Mapping[str, Any]
    table: pa.Table
    index: Path
    root: Path
    labels: Mapping[str, Path]
    device: str
    precision: str

    def __call__(self, start: int, stop: int) -> dict[str, np.ndarray]:
        trained = self.trained()
        trained.use(self.at_test)
        device = arithmetic.device_of(self.device)
        arithmetic.apply(self.precision, device)
        rows = self.table.slice(start, stop - start)
        image_ids = image_table.integers(rows, "image_id")
        labels = {kind: read(kind, file, self.index, image_ids) for kind, file in self.labels.items()}
        mixed = self.precision == "bfloat16"
        found = embeddings.joined(inference.embed(trained, rows, self.root, labels, device, mixed, quiet=True))
        return {
            "image_id": found.image_id,
            "features": found.features,
            "visibility": found.visibility,
            "status": np.full(len(rows), OK, np.uint8),  # an image that cannot be read ends the stage
        }

    def trained(self) -> Trained:
        """The trained method, loaded unless this process has it. UserError when the weights are others here."""
        if self.sha256 not in _loaded and load(self.weights)[1] != self.sha256:
            raise UserError(f"{self.weights.absolute()} holds other weights here than where the stage was started")
        return _loaded[self.sha256]


def load(weights: Path) -> tuple[Trained, str]:
    """The trained method of a weights file, and the file's SHA-256, by which the process keeps it."""
    memory.keep()
    found, sha256 = methods.load(weights), files.sha256(weights)
    _loaded.clear()
    _loaded[sha256] = found
    return found, sha256


def write(path: Path, header: Mapping[str, Any], work: Embedding, processes: int, on: str | None) -> None:
    """Do the work and write the embeddings file. processes, on: see partreid.storage.pieces."""
    settings = {
        **header,
        "device": work.device,
        "label_files": {kind: files.sha256(file) for kind, file in work.labels.items()},
        "code": source.code(type(work.trained().method).__module__, __name__),
    }
    size = BATCHES * inference.batch(arithmetic.device_of(work.device))
    with pieces.made(path, settings, work, len(work.table), size, processes, "embed", on) as done:
        found = (
            Embeddings(each["image_id"], each["features"], each["visibility"], {}) for each in pieces.joined(done, size)
        )
        embeddings.write(path, header, found)
