"""Relation-aware attention against the published form with its N x N matrix."""

import pytest
import torch

from partreid.backbones.relation import RelationAwareResNet50, SpatialRelations
from partreid.errors import UserError


def test_it_is_the_attention_of_all_relations():
    torch.manual_seed(0)
    layer = SpatialRelations(16, 64).train()
    x = torch.randn(2, 16, 8, 8)
    theta, phi = layer.theta(x).flatten(2), layer.phi(x).flatten(2)
    R = torch.zeros(2, 64, 64)
    for b in range(2):
        for i in range(64):
            R[b, i] = torch.stack([theta[b, :, i] @ phi[b, :, j] for j in range(64)])
    r = torch.cat([R, R.transpose(1, 2)], 2)  # [R(i, :), R(:, i)] of every position i
    embedded = layer.relate_norm(layer.relate(r).transpose(1, 2).unflatten(2, (8, 8)))
    y = torch.cat([layer.psi(x).mean(1, keepdim=True), embedded], 1)
    attention = layer.attend(y)
    assert torch.allclose(layer(x), x * attention, atol=1e-5)
    assert attention.std() > 0.01
    assert y.shape == (2, 1 + 64 // 8, 8, 8)


def test_every_weight_learns():
    torch.manual_seed(0)
    backbone = RelationAwareResNet50(64, 32).train()
    features = backbone(torch.randn(2, 3, 64, 32))
    assert features.shape == (2, 2048, 4, 2)
    features.square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in backbone.relations.parameters())
    assert all(p.grad is not None for p in backbone.trunk.parameters())


def test_another_image_size_is_named():
    with pytest.raises(UserError, match="for images of 64 x 32, found 32 x 32"):
        RelationAwareResNet50(64, 32)(torch.randn(1, 3, 32, 32))
