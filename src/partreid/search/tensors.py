"""Embeddings as the distances take them."""

import torch

from partreid.evaluation.distances import Vectors, vectors
from partreid.storage.embeddings import Embeddings


def tensors(embeddings: Embeddings) -> Vectors:
    """On the CPU."""
    return vectors(torch.from_numpy(embeddings.features), torch.from_numpy(embeddings.visibility))
