"""The library: photos to embeddings, distances, ranks; evaluation. `import partreid` hands its names on."""

from partreid.api.comparison import distance, rank
from partreid.api.evaluation import evaluate
from partreid.api.model import Model, load
from partreid.api.people import People
from partreid.search.nearest import Hits

__all__ = ["Hits", "Model", "People", "distance", "evaluate", "load", "rank"]
