"""A data set through an exported graph."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from partreid.export import graph
from partreid.inference import BATCH, Reader, assembled
from partreid.storage.embeddings import Embeddings, joined


def embedded(session: Any, reader: Reader, image_ids: np.ndarray, distance: str) -> Embeddings:
    """Embeddings of all that the reader reads, by an onnxruntime session; image_ids: theirs, in its order."""

    def batches() -> Iterator[Embeddings]:
        for start in range(0, len(image_ids), BATCH):
            rows = np.arange(start, min(start + BATCH, len(image_ids)))
            features, visibility = graph.embed(session, graph.pixels_of(assembled(reader.stored(rows))))
            yield Embeddings(image_ids[rows], features.numpy(), visibility.numpy(), {"distance": distance})

    return joined(batches())


def example(reader: Reader, rows: np.ndarray) -> list[torch.Tensor]:
    """Some of them as the graph takes them."""
    return graph.pixels_of(assembled(reader.stored(rows)))
