"""Mutual learning's losses against slow loops over the paper's equations."""

import math

import pytest
import torch
import torch.nn.functional as F

from partreid.errors import UserError
from partreid.losses.mutual import dense_similarity, similarities, symmetric_divergence


def maps(seed, batch=5):
    generator = torch.Generator().manual_seed(seed)
    shapes = [(3, 4, 2), (5, 4, 2), (4, 2, 1), (7, 2, 1)]
    return [torch.randn(batch, *shape, generator=generator, dtype=torch.float64) for shape in shapes]


def test_similarities_are_eq_8():
    x = maps(0)[0]
    found = similarities(x)
    for i in range(5):
        for j in range(5):
            a, b = ([float(x[k, c].clamp(min=0).sum()) / 8 for c in range(3)] for k in (i, j))
            cosine = sum(u * v for u, v in zip(a, b, strict=True)) / math.hypot(*a) / math.hypot(*b)
            assert float(found[i, j]) == pytest.approx(cosine, rel=1e-9)


def test_signed_maps_are_compared_behind_a_relu():
    """Else the blocks of two networks that answer alike could not have equal similarities."""
    x = maps(0, batch=40)[0]
    assert float(similarities(x).min()) >= 0 > float(torch.corrcoef(x.mean((2, 3))).min())
    assert torch.equal(similarities(x.relu()), similarities(x))  # no change for a ResNet's blocks


@pytest.mark.parametrize("reduction", ["frobenius", "squared", "mean_square"])
def test_dense_similarity_is_eq_9_over_all_16_pairs(reduction):
    a, s = maps(1), maps(2)
    total = 0.0
    for x in a:
        for y in s:
            S_a, S_s = similarities(x), similarities(y)
            squares = sum(float(S_a[i, j] - S_s[i, j]) ** 2 for i in range(5) for j in range(5))
            total += {"frobenius": math.sqrt(squares), "squared": squares, "mean_square": squares / 25}[reduction]
    assert float(dense_similarity(a, s, reduction)) == pytest.approx(total, rel=1e-9)


@pytest.mark.parametrize("reduction", ["frobenius", "squared", "mean_square"])
def test_equal_networks_have_finite_gradients(reduction):
    a = [each.requires_grad_() for each in maps(1)]
    loss = dense_similarity(a, a, reduction)
    loss.backward()
    assert all(torch.isfinite(each.grad).all() for each in a)


def test_only_mean_square_does_not_grow_with_the_batch():
    def loss(batch, reduction):
        return float(dense_similarity(maps(1, batch), maps(2, batch), reduction))

    assert loss(400, "mean_square") == pytest.approx(loss(100, "mean_square"), rel=0.2)
    assert loss(400, "frobenius") == pytest.approx(4 * loss(100, "frobenius"), rel=0.2)
    assert loss(400, "squared") == pytest.approx(16 * loss(100, "squared"), rel=0.2)


def test_an_unknown_reduction_is_named():
    with pytest.raises(UserError, match="mean_square"):
        dense_similarity(maps(1), maps(2), "mean")


def test_divergence_is_eq_10_and_11():
    generator = torch.Generator().manual_seed(3)
    a, s = torch.randn(2, 4, 6, generator=generator, dtype=torch.float64)
    total = 0.0
    for p, q in zip(F.softmax(a, 1).tolist(), F.softmax(s, 1).tolist(), strict=True):
        total += sum(x * math.log(x / y) + y * math.log(y / x) for x, y in zip(p, q, strict=True))
    assert float(symmetric_divergence(a, s)) == pytest.approx(total / 4, rel=1e-9)
    assert float(symmetric_divergence(a, s)) == pytest.approx(float(symmetric_divergence(s, a)))
    assert float(symmetric_divergence(a, a)) == 0
