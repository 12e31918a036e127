"""Images through a trained method."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from partreid.inputs.ahead import ahead
from partreid.inputs.batch import Inputs
from partreid.inputs.heads import boxes, cut
from partreid.inputs.images import normalise, resized
from partreid.inputs.kinds import HEADS, Label, no_change, tensors
from partreid.inputs.pixels import Files, heads_of, images_of
from partreid.methods.base import Trained
from partreid.progress import progress
from partreid.storage import chunks, image_table
from partreid.storage.embeddings import Embeddings

BATCH = 64  # images through the network at a time
BATCH_CUDA = 256  # a GPU does not even notice 64: starting the kernels takes longer


def batch(device: torch.device) -> int:
    """How many images go through the network at a time. Divides chunks.CHUNK."""
    return BATCH_CUDA if device.type == "cuda" else BATCH


def embed(
    trained: Trained,
    table: pa.Table,
    root: Path,
    labels: Mapping[str, Label],
    device: torch.device,
    bfloat16: bool = False,
    quiet: bool = False,
) -> Iterator[Embeddings]:
    """Embeddings of an image table's rows in order, chunks.CHUNK images at a time. `path` is relative to root.

    labels: of the kinds that the method needs at test time, a row per row of the table. bfloat16: of the backbone.
    quiet: without a progress bar.
    Images are read once, so straight from their files, by threads, while the network is at work on those before.
    """
    method = trained.method.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    method.mixed = bfloat16
    image_ids = image_table.integers(table, "image_id")
    reader = Reader(root, table["path"].to_pylist(), labels, trained.height, trained.width)
    N, size = len(image_ids), batch(device)
    starts = [
        first for start in range(0, N, chunks.CHUNK) for first in range(start, min(start + chunks.CHUNK, N), size)
    ]
    stored = (reader.stored(np.arange(first, min(first + size, N)), device.type == "cuda") for first in starts)
    found: list[tuple[Tensor, Tensor]] = []
    with progress(N, "embed", quiet=quiet) as bar, closing(ahead(stored)) as waiting:
        for first, parcel in zip(starts, waiting, strict=True):
            with torch.inference_mode():
                found.append(method.embed(assembled(_moved(parcel, device))))
            count = min(size, N - first)
            bar.update(count)
            if (first + count) % chunks.CHUNK == 0 or first + count == N:
                ids = image_ids[first // chunks.CHUNK * chunks.CHUNK : first + count]
                features, visibility = (torch.cat(each).float().cpu().numpy() for each in zip(*found, strict=True))
                yield Embeddings(ids, features, visibility, {})
                found = []


class Reader:
    """Reads images at `paths` below root and their labels as a method takes them in a test."""

    def __init__(self, root: Path, paths: Sequence[str], labels: Mapping[str, Label], height: int, width: int):
        self.labels = labels
        self.pixels: dict[str, Files] = {"images": images_of(root, paths, height, width)}
        if HEADS in labels:
            self.pixels[HEADS] = heads_of(root, paths, boxes(labels[HEADS]), height, width)

    def stored(self, rows: np.ndarray, pinned: bool = False) -> dict[str, Any]:
        """Images and labels `rows` as bytes, on the host. pinned: see training.data.parcels."""
        result: dict[str, Any] = {
            "labels": {kind: label.rows(rows) for kind, label in self.labels.items() if kind != HEADS},
            "labelled": {kind: torch.from_numpy(label.known[rows]) for kind, label in self.labels.items()},
        }
        for name, pixels in self.pixels.items():
            result[name] = torch.empty(len(rows), *pixels.shape[1:], dtype=torch.uint8, pin_memory=pinned)
            pixels.rows(rows, result[name].numpy())
        return result


def stored_of(images: Sequence[np.ndarray], labels: Mapping[str, Label], height: int, width: int) -> dict[str, Any]:
    """What `Reader.stored` would read of images uint8 RGB (H, W, 3) of any sizes; labels: a row per image."""
    rows = np.arange(len(images))
    result: dict[str, Any] = {
        "labels": {kind: label.rows(rows) for kind, label in labels.items() if kind != HEADS},
        "labelled": {kind: torch.from_numpy(label.known) for kind, label in labels.items()},
        "images": torch.from_numpy(np.stack([resized(image, height, width) for image in images])),
    }
    if HEADS in labels:
        found = zip(images, boxes(labels[HEADS]), strict=True)
        result[HEADS] = torch.from_numpy(np.stack([cut(image, box, height, width) for image, box in found]))
    return result


def assembled(stored: Mapping[str, Any]) -> Inputs:
    """What a method takes of what `Reader.stored` read, on the device that it lies on."""
    images = normalise(stored["images"])
    made = tensors(stored["labels"], no_change(len(images)).to(images.device))
    if HEADS in stored:
        made[HEADS] = normalise(stored[HEADS])
    return Inputs(images, made, stored["labelled"])


def _moved(stored: Mapping[str, Any], device: torch.device) -> dict[str, Any]:
    return {
        name: _moved(value, device) if isinstance(value, Mapping) else value.to(device, non_blocking=True)
        for name, value in stored.items()
    }


def load_inputs(
    root: Path, paths: Sequence[str], labels: Mapping[str, Label], rows: np.ndarray, height: int, width: int
) -> Inputs:
    """Images `rows` of `paths` and their labels as a method takes them in a test, on the CPU."""
    return assembled(Reader(root, paths, labels, height, width).stored(rows))
