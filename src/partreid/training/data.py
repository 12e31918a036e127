"""Training batches: images and labels read, changed together, and collated.

What is drawn for an image depends only on (seed, epoch, place in the epoch): the number of worker processes and an
interruption change nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from partreid.errors import UserError
from partreid.methods.base import Batch
from partreid.training.augmentation import Change, change_fields, change_image, draw
from partreid.training.images import normalise, read_image
from partreid.training.sampler import batches


@dataclass(frozen=True)
class Fields:
    """Label fields of every training row.

    values: uint8 (N, C, h, w), 0..255 for 0..1. known: bool (N,), False where the tool found nobody.
    mirror: as in change_fields.
    """

    values: np.ndarray
    known: np.ndarray
    mirror: tuple[int, ...]


@dataclass(frozen=True)
class TrainingSet:
    """N training rows. paths relative to root; pid int64 (N,), 0..identities-1; labels by kind."""

    root: Path
    paths: Sequence[str]
    pid: np.ndarray
    labels: Mapping[str, Fields]


@dataclass(frozen=True)
class Augmentation:
    """Image size in pixels and the arguments of augmentation.draw."""

    height: int
    width: int
    flip: float
    pad: int
    erase: float


class _Batches(Dataset[dict[str, Any] | UserError]):
    """Item b is the b-th batch of an epoch, as NumPy arrays."""

    def __init__(self, data: TrainingSet, augmentation: Augmentation, order: list[np.ndarray], seed: tuple[int, int]):
        self.data, self.augmentation, self.order, self.seed = data, augmentation, order, seed

    def __len__(self) -> int:
        return len(self.order)

    def __getitem__(self, number: int) -> dict[str, Any] | UserError:
        # a worker process cannot raise without a traceback, so a user's mistake travels as an item
        try:
            return self._batch(number)
        except UserError as error:
            return error

    def _batch(self, number: int) -> dict[str, Any]:
        rows = self.order[number]
        images, changes = [], []
        for place, row in enumerate(rows):
            rng = np.random.default_rng([*self.seed, number, place])
            image, change = self._one(row, rng)
            images.append(image)
            changes.append(change.numbers())
        return {
            "images": torch.from_numpy(np.stack(images)),
            "pid": torch.from_numpy(self.data.pid[rows]),
            "changes": torch.from_numpy(np.stack(changes)),
            "labels": {name: torch.from_numpy(label.values[rows]) for name, label in self.data.labels.items()},
            "labelled": {name: torch.from_numpy(label.known[rows]) for name, label in self.data.labels.items()},
        }

    def _one(self, row: int, rng: np.random.Generator) -> tuple[np.ndarray, Change]:
        a = self.augmentation
        change = draw(rng, a.height, a.width, a.flip, a.pad, a.erase)
        image = read_image(self.data.root / self.data.paths[row], a.height, a.width)
        return change_image(image, change), change


def epoch_batches(
    data: TrainingSet,
    augmentation: Augmentation,
    *,
    ids_per_batch: int,
    images_per_id: int,
    seed: int,
    epoch: int,
    workers: int,
) -> tuple[int, Iterator[Batch]]:
    """The number of batches of an epoch and the batches, images and labels changed together, on the CPU."""
    order = batches(data.pid, ids_per_batch, images_per_id, np.random.default_rng([seed, epoch]))
    source = _Batches(data, augmentation, order, (seed, epoch))
    loader: DataLoader[dict[str, Any] | UserError] = DataLoader(source, batch_size=None, num_workers=workers)
    mirrors = {name: label.mirror for name, label in data.labels.items()}
    return len(order), (_collate(item, mirrors) for item in loader)


def _collate(item: dict[str, Any] | UserError, mirrors: Mapping[str, tuple[int, ...]]) -> Batch:
    if isinstance(item, UserError):
        raise item
    labels: dict[str, Tensor] = {
        name: change_fields(values.float() / 255, item["changes"], mirrors[name])
        for name, values in item["labels"].items()
    }
    images = normalise(item["images"])
    return Batch(images, item["pid"], labels, item["labelled"])
