import numpy as np
import pytest
import torch

from partreid.evaluation import neighbours, ranking
from partreid.evaluation.distances import DISTANCES, vectors
from partreid.evaluation.neighbours import Stack, between, nearest


def _integers(n, seed, visible=1.0):
    """Small integers: distances are exact and ties are many."""
    random = np.random.default_rng(seed)
    features = torch.from_numpy(random.integers(-2, 3, (n, 3, 2)).astype(np.float32))
    return vectors(features, torch.from_numpy((random.random((n, 3)) < visible).astype(np.float32)))


def _whole(name, *sides):
    every = vectors(*(torch.cat([getattr(side, field) for side in sides]) for field in ("features", "visibility")))
    return DISTANCES[name](every, every).numpy()


@pytest.mark.parametrize("block", [1, 7, 16, 1024])
@pytest.mark.parametrize("k", [1, 5, 40, 1000])
@pytest.mark.parametrize(("name", "visible"), [("euclidean", 1.0), ("parts", 0.3)])
def test_lists_equal_sorting_whole_rows(monkeypatch, name, visible, block, k):
    monkeypatch.setattr(neighbours, "BLOCK", block)
    sides = _integers(23, 1, visible), _integers(50, 2, visible)
    whole = _whole(name, *sides)
    found = nearest(Stack(sides), DISTANCES[name], k)
    assert found.index.shape == (73, min(k, 73))
    place = ranking.shuffled(73)
    short = 0
    for i, row in enumerate(whole):
        order = [j for j in np.lexsort((place, row)) if row[j] < np.inf][:k]
        filled = found.index[i] >= 0
        assert found.index[i, filled].tolist() == order
        assert found.distance[i, filled].tolist() == row[order].tolist()
        assert bool(np.isinf(found.distance[i, ~filled]).all())
        assert found.farthest[i] == max(row[row < np.inf], default=0)
        short += len(order) < found.index.shape[1]
    assert (short > 0) == (name == "parts")  # an image without any part is not even its own neighbour


def test_an_image_that_is_nearer_than_a_full_list_enters_it_from_any_block(monkeypatch):
    monkeypatch.setattr(neighbours, "BLOCK", 4)
    features = torch.arange(40.0)[torch.randperm(40, generator=torch.Generator().manual_seed(1))]
    every = vectors(features.view(40, 1, 1), torch.ones(40, 1))
    found = nearest(Stack((every,)), DISTANCES["euclidean"], 3)
    places = features.numpy()
    for i in range(40):
        assert set(places[found.index[i]]) <= {places[i] + step for step in (-2, -1, 0, 1, 2)}


@pytest.mark.parametrize("pairs", [1, 6, 64])
def test_single_distances_equal_the_matrix(monkeypatch, pairs):
    monkeypatch.setattr(neighbours, "BLOCK", 16)
    monkeypatch.setattr(neighbours, "PAIRS", pairs)
    sides = _integers(23, 1, 0.4), _integers(50, 2, 0.4)
    whole = _whole("parts", *sides)
    first, second = np.random.default_rng(3).integers(0, 73, (2, 400))
    found = between(Stack(sides), DISTANCES["parts"], first, second)
    assert np.array_equal(found, whole[first, second])
    none = np.zeros(0, np.int64)
    assert len(between(Stack(sides), DISTANCES["parts"], none, none)) == 0
