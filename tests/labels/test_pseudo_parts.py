"""Pseudo part labels against slow searches, and on features whose parts are known."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from partreid.labels import pseudo_parts
from partreid.labels.pseudo_parts import bands, brightness, foreground, from_top, in_front, k_means, part_maps


def spread(values):
    return float(((values - values.mean()) ** 2).sum()) if len(values) else 0.0


def test_foreground_is_the_best_of_all_cuts():
    for seed in range(5):
        values = torch.rand(40, generator=torch.Generator().manual_seed(seed)).round(decimals=1)  # with equal ones
        found = foreground(values)
        cuts = [values > threshold for threshold in values.unique()[:-1]]
        best = min(cuts, key=lambda cut: spread(values[cut]) + spread(values[~cut]))
        assert torch.equal(found, best)
        assert values[found].mean() > values[~found].mean()


def test_equal_values_are_all_foreground():
    assert foreground(torch.full((2, 3), 0.7)).all()
    assert foreground(torch.ones(1)).all()


def test_brightness_is_eq_8():
    dense = torch.randn(2, 3, 2, 5)
    found = brightness(dense)
    for n in range(2):
        lengths = [[float(dense[n, i, j].norm()) for j in range(2)] for i in range(3)]
        expected = np.array(lengths) / np.max(lengths)
        assert np.allclose(found[n].numpy(), expected, atol=1e-6)


def test_bands_are_as_large_as_can_be_and_go_down():
    rows = torch.randint(0, 9, (50,), generator=torch.Generator().manual_seed(0))
    band = bands(rows, 6)
    counts = torch.bincount(band, minlength=6)
    assert counts.sum() == 50
    assert counts.max() - counts.min() <= 1
    assert all(rows[band == a].max() <= rows[band == b].min() for a, b in pairwise(range(6)))


def test_k_means_is_lloyds_by_loops():
    generator = torch.Generator().manual_seed(1)
    points = torch.randn(60, 3, generator=generator, dtype=torch.float64)
    start = torch.randint(0, 4, (60,), generator=generator)
    cluster = start.tolist()
    for _ in range(pseudo_parts.STEPS):
        centres = [points[[i for i in range(60) if cluster[i] == c]].mean(0) for c in range(4)]
        cluster = [min(range(4), key=lambda c: float((point - centres[c]).square().sum())) for point in points]
    assert k_means(points, start, 4).tolist() == cluster
    assert cluster != start.tolist()


def test_k_means_bears_an_empty_cluster():
    points = torch.tensor([[0.0, 1], [0, 1], [1, 0]])
    assert k_means(points, torch.tensor([0, 0, 2]), 4).tolist() == [0, 0, 2]


def test_from_top_orders_by_mean_row():
    rows, cluster = torch.tensor([9, 7, 1, 3, 2, 5]), torch.tensor([0, 0, 2, 2, 2, 3])
    assert from_top(rows, cluster, 5).tolist() == [2, 3, 0, 1, 4]  # clusters 1 and 4 are empty


def scene(images=3, height=24, width=8, channels=16):
    """Features of a person of six stripes, each image shifted, on a dim background, and its labels."""
    generator = torch.Generator().manual_seed(0)
    directions = torch.nn.functional.normalize(torch.randn(7, channels, generator=generator), dim=1)
    labels = torch.zeros(images, height, width, dtype=torch.uint8)
    for n in range(images):
        for part in range(6):
            top = n + 3 * part
            labels[n, top : top + 3, 2:6] = part + 1
    length = torch.where(labels > 0, 3.0, 0.5)[..., None]
    noise = 0.05 * torch.randn(images, height, width, channels, generator=generator)
    return directions[labels.long()] * length + noise, labels


def test_known_parts_are_found_and_numbered_from_the_top():
    dense, labels = scene()
    assert torch.equal(part_maps(dense, 6), labels)


def test_the_same_again():
    dense = torch.rand(4, 12, 6, 10, generator=torch.Generator().manual_seed(3))
    first = part_maps(dense.clone(), 6)
    assert torch.equal(part_maps(dense, 6), first)
    assert set(first.unique().tolist()) == set(range(7))


def test_scale_of_an_image_says_nothing():
    dense, labels = scene()
    assert torch.equal(part_maps(dense * torch.tensor([1.0, 10, 0.1])[:, None, None, None], 6), labels)


def test_the_chosen_points_move_to_the_front_at_unit_length(monkeypatch):
    monkeypatch.setattr(pseudo_parts, "PIECE", 3)
    points = torch.randn(20, 4)
    chosen = torch.rand(20, generator=torch.Generator().manual_seed(0)) < 0.6
    expected = torch.stack([point / point.norm() for point, take in zip(points, chosen, strict=True) if take])
    found = in_front(points, chosen)
    assert torch.allclose(found, expected, atol=1e-6)
    assert found.data_ptr() == points.data_ptr()


class Largest(TorchDispatchMode):
    """How many bytes the largest tensor has that is made while this is on."""

    bytes = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        given = {each.untyped_storage().data_ptr() for each in args if isinstance(each, torch.Tensor)}
        result = function(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor) and result.untyped_storage().data_ptr() not in given:
            self.bytes = max(self.bytes, result.untyped_storage().nbytes())
        return result


def test_there_is_no_second_copy_of_an_identitys_features(monkeypatch):
    monkeypatch.setattr(pseudo_parts, "PIECE", 20)
    dense, labels = scene(channels=256)
    with Largest() as largest:
        assert torch.equal(part_maps(dense, 6), labels)
    assert 0 < largest.bytes < dense.untyped_storage().nbytes() / 4


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_features_without_differences_give_some_labels(value):
    maps = part_maps(torch.full((1, 2, 2, 2), value), 6)
    assert maps.shape == (1, 2, 2)
    assert maps.max() <= 6


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_the_gpu_finds_the_same():
    dense, labels = scene()
    assert torch.equal(part_maps(dense.cuda(), 6).cpu(), labels)
