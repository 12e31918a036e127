"""Images through a trained method."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from tqdm import tqdm

from partreid import chunks, records
from partreid.embeddings import Embeddings
from partreid.methods import Trained
from partreid.training.images import load_images

BATCH = 64  # images through the network at a time


def embed(trained: Trained, table: pa.Table, root: Path, device: torch.device) -> Iterator[Embeddings]:
    """Embeddings of an image table's rows in order, chunks.CHUNK images at a time. `path` is relative to root."""
    method = trained.method.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    image_ids, paths = records.integers(table, "image_id"), table["path"].to_pylist()
    with tqdm(total=len(paths), desc="embed", unit="image") as bar:
        for start in range(0, len(paths), chunks.CHUNK):
            features, visibility = [], []
            for first in range(start, min(start + chunks.CHUNK, len(paths)), BATCH):
                batch = paths[first : min(first + BATCH, start + chunks.CHUNK)]
                images = load_images(root, batch, trained.height, trained.width)
                with torch.inference_mode():
                    f, v = method.embed(images.to(device, memory_format=torch.channels_last))
                features.append(f.float().cpu().numpy())
                visibility.append(v.float().cpu().numpy())
                bar.update(len(batch))
            ids = image_ids[start : start + chunks.CHUNK]
            yield Embeddings(ids, np.concatenate(features), np.concatenate(visibility), {})
