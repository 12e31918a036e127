"""The library: weights, photos to embeddings, distances, ranks. `import partreid` hands its names on."""

from partreid.api.comparison import distance, rank
from partreid.api.model import Model, load
from partreid.api.people import People

__all__ = ["Model", "People", "distance", "load", "rank"]
