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
from partreid.inputs.augmentation import draw, erase_images, jitter, move_image
from partreid.inputs.batch import Batch
from partreid.inputs.heads import box, moved_head, place
from partreid.inputs.images import load_images, normalise, read_image, resized
from partreid.inputs.kinds import HEADS, Label, tensors
from partreid.training.sampler import batches, epoch_order


@dataclass(frozen=True)
class TrainingSet:
    """N training rows. paths relative to root; pid int64 (N,), 0..identities-1; labels by kind."""

    root: Path
    paths: Sequence[str]
    pid: np.ndarray
    labels: Mapping[str, Label]

    @property
    def identities(self) -> int:
        """How many persons there are."""
        return int(self.pid.max()) + 1


@dataclass(frozen=True)
class Augmentation:
    """Image size in pixels, the arguments of augmentation.draw, erase_images' `fill`, the probability of jitter."""

    height: int
    width: int
    flip: float
    pad: int
    erase: float
    fill: str = "mean"
    jitter: float = 0.0


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
        examples = [
            self._one(row, np.random.default_rng([*self.seed, number, place])) for place, row in enumerate(rows)
        ]
        arrays = [torch.from_numpy(np.stack(column)) for column in zip(*examples, strict=True)]
        return {
            # heads where they are wanted
            **dict(zip(("images", "changes", "heads", "head_changes", "head_boxes"), arrays, strict=False)),
            "rows": torch.from_numpy(rows),
            "labels": {name: label.rows(rows) for name, label in self.data.labels.items()},
        }

    def _one(self, row: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        """The moved image and its change; where they are wanted, the moved head, its change and its place."""
        a = self.augmentation
        change = draw(rng, a.height, a.width, a.flip, a.pad, a.erase)
        original = read_image(self.data.root / self.data.paths[row])
        image = move_image(resized(original, a.height, a.width), change)
        if a.jitter and rng.random() < a.jitter:
            image = jitter(image, rng)
        example = image, change.numbers()
        if HEADS not in self.data.labels:
            return example
        found = box(self.data.labels[HEADS], row)
        head, of_head = moved_head(original, found, change, a.height, a.width)
        return *example, head, of_head.numbers(), place(found, change, *original.shape[:2])


def epoch_batches(
    data: TrainingSet,
    augmentation: Augmentation,
    *,
    ids_per_batch: int,
    images_per_id: int,
    sampler: str,
    repeats: int,
    batches_per_epoch: int,
    seed: int,
    epoch: int,
    workers: int,
) -> tuple[int, Iterator[Batch]]:
    """The number of batches of an epoch and the batches, images and labels changed together, on the CPU.

    sampler: a key of training.sampler.SAMPLERS. repeats: how often an epoch goes over the set, each time with other
    changes and in another order. batches_per_epoch: 0, or how many batches an epoch has in place of that.
    """
    rng = np.random.default_rng([seed, epoch])
    order = epoch_order(
        lambda: batches(data.pid, ids_per_batch, images_per_id, rng, sampler), repeats=repeats, count=batches_per_epoch
    )
    source = _Batches(data, augmentation, order, (seed, epoch))
    loader: DataLoader[dict[str, Any] | UserError] = DataLoader(source, batch_size=None, num_workers=workers)
    return len(order), (_collate(data, item, augmentation.fill) for item in loader)


def _collate(data: TrainingSet, item: dict[str, Any] | UserError, fill: str) -> Batch:
    if isinstance(item, UserError):
        raise item
    labels = tensors(item["labels"], item["changes"])
    if "heads" in item:
        heads = erase_images(normalise(item["heads"]), item["head_changes"], fill)
        labels |= {HEADS: heads, "head_boxes": item["head_boxes"]}
    rows = item["rows"].numpy()
    clean = normalise(item["images"])
    return Batch(
        images=erase_images(clean, item["changes"], fill),
        labels=labels,
        labelled={name: torch.from_numpy(label.known[rows]) for name, label in data.labels.items()},
        pid=torch.from_numpy(data.pid[rows]),
        clean=clean,
        rows=item["rows"],
        changes=item["changes"],
    )


class PersonImages(Dataset[tuple[Tensor, Tensor] | UserError]):
    """Item p is identity p's training rows and un-augmented images; see methods.base.Persons."""

    def __init__(self, data: TrainingSet, height: int, width: int):
        self.data, self.height, self.width = data, height, width

    def __len__(self) -> int:
        return self.data.identities

    def __getitem__(self, person: int) -> tuple[Tensor, Tensor] | UserError:
        rows = np.flatnonzero(self.data.pid == person)
        paths = [self.data.paths[row] for row in rows.tolist()]
        try:
            images = load_images(self.data.root, paths, self.height, self.width)
        except UserError as error:
            return error
        return torch.from_numpy(rows), images


def persons(data: TrainingSet, height: int, width: int, workers: int) -> Iterator[tuple[Tensor, Tensor]]:
    """The training set, one identity after another, on the CPU."""
    source = PersonImages(data, height, width)
    for item in DataLoader(source, batch_size=None, num_workers=workers):
        if isinstance(item, UserError):
            raise item
        yield item
