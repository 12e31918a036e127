"""Training batches: a few bytes and numbers gathered on the host, changed and normalised on the device.

What is drawn for a batch depends only on (seed, epoch, number of the batch): an interruption changes nothing.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from partreid.inputs import heads
from partreid.inputs.augmentation import draw, draw_lights, erase_images, erase_pixels, move_images, relit
from partreid.inputs.batch import Batch
from partreid.inputs.images import normalise
from partreid.inputs.kinds import HEADS, Label, tensors
from partreid.inputs.pixels import Pixels, heads_of, images_of, kept
from partreid.training.sampler import batches, epoch_order

# purposes of random streams: numpy.random.SeedSequence(seed, spawn_key=(purpose, ...)), no two of which are alike
ORDER, CHANGES = 1, 2

Parcel = Mapping[str, Any]
"""What travels to the device, tensors and mappings of tensors: uint8 `images` (B, H, W, 3), float32 `changes` (B, 7),
int64 `rows` and `pid` (B,), `labels` as stored, by kind and member, `labelled`; with heads `heads` uint8 (B, H, W, 3),
`head_changes` and `head_boxes`; with jitter `lights`."""


@dataclass(frozen=True)
class TrainingSet:
    """N training rows. paths relative to root; pid int64 (N,), 0..identities-1; labels by kind.

    sha1: of the files. sizes: int (N, 2), height and width of the images in pixels; needed for heads only.
    """

    root: Path
    paths: Sequence[str]
    pid: np.ndarray
    labels: Mapping[str, Label]
    sha1: Sequence[str]
    sizes: np.ndarray = field(default_factory=lambda: np.zeros((0, 2), int))

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


@dataclass(frozen=True)
class Source:
    """A training set with its pixels, of one size. boxes: of heads in shares of the images, float64 (N, 4)."""

    data: TrainingSet
    images: Pixels
    heads: Pixels | None = None
    boxes: np.ndarray | None = None


def opened(data: TrainingSet, height: int, width: int) -> Source:
    """The training set with its pixels at hand: decoded and resized now, unless they were before."""
    name = f"{data.root.name} at {height} x {width}"
    files = images_of(data.root, data.paths, height, width)
    images = kept(files, [list(data.paths), list(data.sha1)], name)
    if HEADS not in data.labels:
        return Source(data, images)
    boxes = heads.boxes(data.labels[HEADS])
    of_heads = heads_of(data.root, data.paths, boxes, height, width)
    about = [list(data.paths), list(data.sha1), np.nan_to_num(boxes, nan=-1).tolist()]
    return Source(data, images, kept(of_heads, about, f"heads of {name}"), heads.in_shares(boxes, data.sizes))


def order(
    data: TrainingSet,
    *,
    ids_per_batch: int,
    images_per_id: int,
    sampler: str,
    repeats: int,
    batches_per_epoch: int,
    seed: int,
    epoch: int,
) -> list[np.ndarray]:
    """The rows of each batch of an epoch.

    sampler: a key of training.sampler.SAMPLERS. repeats: how often an epoch goes over the set, each time in another
    order. batches_per_epoch: 0, or how many batches an epoch has in place of that.
    """
    rng = stream(seed, ORDER, epoch)
    return epoch_order(
        lambda: batches(data.pid, ids_per_batch, images_per_id, rng, sampler), repeats=repeats, count=batches_per_epoch
    )


def stream(seed: int, *purpose: int) -> np.random.Generator:
    """Random numbers for a purpose, such as CHANGES of an epoch's batch, independent of those for any other."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=purpose))


def parcels(
    source: Source, augmentation: Augmentation, order: Sequence[np.ndarray], seed: int, epoch: int, pinned: bool = False
) -> Iterator[Parcel]:
    """What the batches of an epoch are made of, on the host. pinned: in memory that a GPU copies from by itself."""
    a = augmentation
    for number, rows in enumerate(order):
        rng = stream(seed, CHANGES, epoch, number)
        changes = draw(rng, len(rows), a.height, a.width, flip=a.flip, pad=a.pad, erase=a.erase)
        lights = draw_lights(rng, len(rows), a.jitter) if a.jitter else None
        yield parcel(source, rows, changes, lights, pinned)


def parcel(
    source: Source, rows: np.ndarray, changes: np.ndarray, lights: np.ndarray | None = None, pinned: bool = False
) -> Parcel:
    """The training rows int64 (B,) with their changes float64 (B, 7) and, where wanted, lights float64 (B, 2)."""

    def hosted(array: np.ndarray) -> Tensor:
        return torch.from_numpy(array).pin_memory() if pinned else torch.from_numpy(array)

    def read(pixels: Pixels) -> Tensor:
        out = torch.empty(len(rows), *pixels.shape[1:], dtype=torch.uint8, pin_memory=pinned)
        pixels.rows(rows, out.numpy())
        return out

    labels = source.data.labels
    made: dict[str, Any] = {
        "images": read(source.images),
        "changes": hosted(changes.astype(np.float32)),
        "rows": hosted(rows),
        "pid": hosted(source.data.pid[rows]),
        "labels": {
            kind: {name: hosted(array[rows]) for name, array in label.values.items()}
            for kind, label in labels.items()
            if kind != HEADS
        },
        "labelled": {kind: hosted(label.known[rows]) for kind, label in labels.items()},
    }
    if lights is not None:
        made["lights"] = hosted(lights)
    if source.heads is not None and source.boxes is not None:
        boxes = source.boxes[rows]
        made["heads"] = read(source.heads)
        made["head_changes"] = hosted(heads.follow(boxes, changes).astype(np.float32))
        made["head_boxes"] = hosted(heads.places(boxes, changes).astype(np.float32))
    return made


def assembled(parcel: Parcel, clean: bool, fill: str = "mean") -> Batch:
    """The batch that a parcel holds, on the device that it lies on.

    clean: with the images before the erasing. fill: of holes, a key of augmentation.FILLS.
    """
    changes = parcel["changes"]
    labels = tensors(parcel["labels"], changes)
    if "heads" in parcel:
        heads = move_images(parcel["heads"], parcel["head_changes"])
        labels |= {HEADS: erased(heads, parcel["head_changes"], fill), "head_boxes": parcel["head_boxes"]}
    moved = move_images(parcel["images"], changes)
    if "lights" in parcel:
        moved = relit(moved, parcel["lights"])
    images = erased(moved, changes, fill)
    return Batch(
        images=images,
        labels=labels,
        labelled=parcel["labelled"],
        pid=parcel["pid"],
        clean=normalise(moved) if clean else images[:0],
        rows=parcel["rows"],
        changes=changes,
    )


def erased(images: Tensor, changes: Tensor, fill: str) -> Tensor:
    """uint8 images (B, H, W, 3) with their holes filled and normalised: float32 (B, 3, H, W)."""
    if fill == "mean":  # the same, of a quarter of the bytes
        return normalise(erase_pixels(images, changes))
    return erase_images(normalise(images), changes, fill)


def mapped(parcel: Parcel, function: Callable[[Tensor], Tensor]) -> dict[str, Any]:
    """The parcel with a function applied to every tensor."""
    return {
        name: mapped(value, function) if isinstance(value, Mapping) else function(value)
        for name, value in parcel.items()
    }


def persons(source: Source) -> Iterator[tuple[Tensor, Tensor]]:
    """The training set, one identity after another, on the CPU; see methods.base.Persons."""
    pid = source.data.pid
    by_person = np.split(np.argsort(pid, kind="stable"), np.cumsum(np.bincount(pid))[:-1])
    for rows in by_person:
        images = torch.empty(len(rows), *source.images.shape[1:], dtype=torch.uint8)
        source.images.rows(rows, images.numpy())
        yield torch.from_numpy(rows), normalise(images)
