"""Images through a trained method."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from tqdm import tqdm

from partreid.inputs.batch import Inputs
from partreid.inputs.heads import box, load_heads
from partreid.inputs.images import load_images
from partreid.inputs.kinds import HEADS, Label, no_change, tensors
from partreid.methods.base import Trained
from partreid.storage import chunks, image_table
from partreid.storage.embeddings import Embeddings

BATCH = 64  # images through the network at a time


def embed(
    trained: Trained, table: pa.Table, root: Path, labels: Mapping[str, Label], device: torch.device
) -> Iterator[Embeddings]:
    """Embeddings of an image table's rows in order, chunks.CHUNK images at a time. `path` is relative to root.

    labels: of the kinds that the method needs at test time, a row per row of the table.
    """
    method = trained.method.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    image_ids, paths = image_table.integers(table, "image_id"), table["path"].to_pylist()
    with tqdm(total=len(paths), desc="embed", unit="image") as bar:
        for start in range(0, len(paths), chunks.CHUNK):
            features, visibility = [], []
            for first in range(start, min(start + chunks.CHUNK, len(paths)), BATCH):
                rows = np.arange(first, min(first + BATCH, start + chunks.CHUNK, len(paths)))
                inputs = load_inputs(root, paths, labels, rows, trained.height, trained.width)
                with torch.inference_mode():
                    f, v = method.embed(inputs.to(device))
                features.append(f.float().cpu().numpy())
                visibility.append(v.float().cpu().numpy())
                bar.update(len(rows))
            ids = image_ids[start : start + chunks.CHUNK]
            yield Embeddings(ids, np.concatenate(features), np.concatenate(visibility), {})


def load_inputs(
    root: Path, paths: Sequence[str], labels: Mapping[str, Label], rows: np.ndarray, height: int, width: int
) -> Inputs:
    """Images `rows` of `paths` and their labels as a method takes them in a test, on the CPU."""
    chosen = [paths[row] for row in rows]
    made = tensors({kind: label.rows(rows) for kind, label in labels.items()}, no_change(len(rows)))
    if HEADS in labels:
        made[HEADS] = load_heads(root, chosen, [box(labels[HEADS], row) for row in rows], height, width)
    labelled = {kind: torch.from_numpy(label.known[rows]) for kind, label in labels.items()}
    return Inputs(load_images(root, chosen, height, width), made, labelled)
