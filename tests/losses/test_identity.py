import math

import pytest
import torch

from partreid.losses.identity import IGNORED, BNNeck, smoothed_cross_entropy


def test_smoothing_by_hand():
    logits = torch.tensor([[2.0, 0.5, -1.0]])
    log_p = logits.log_softmax(1)[0]
    targets = [1 - 0.1 + 0.1 / 3, 0.1 / 3, 0.1 / 3]
    expected = -sum(t * float(p) for t, p in zip(targets, log_p, strict=True))
    assert float(smoothed_cross_entropy(logits, torch.tensor([0]), 0.1)) == pytest.approx(expected, rel=1e-6)


def test_neck_classifies_the_normalised_feature_without_biases():
    neck = BNNeck(8, 5).train()
    raw = 3 + 2 * torch.randn(64, 8)
    feature, logits = neck.norm(raw), neck(raw)
    assert feature.mean(0).abs().max() < 1e-5
    assert torch.allclose(logits, feature @ neck.classifier.weight.T)
    assert not neck.norm.bias.requires_grad
    assert neck.classifier.bias is None


def test_before_training_every_identity_is_as_likely():
    logits = BNNeck(512, 50)(5 * torch.randn(32, 512)).detach()
    assert float(smoothed_cross_entropy(logits, torch.arange(32), 0.1)) == pytest.approx(math.log(50), abs=0.05)


def test_what_is_ignored_has_no_say_and_all_of_it_costs_nothing():
    logits, target = torch.randn(3, 4, 2), torch.tensor([[0, 3], [1, IGNORED], [IGNORED, IGNORED]])
    log_p = logits.log_softmax(1)
    said = [log_p[0, :, 0], log_p[0, :, 1], log_p[1, :, 0]]
    terms = [-0.9 * float(p[t]) - 0.1 * float(p.mean()) for p, t in zip(said, [0, 3, 1], strict=True)]
    assert float(smoothed_cross_entropy(logits, target, 0.1)) == pytest.approx(sum(terms) / 3, rel=1e-5)
    logits.requires_grad_()
    loss = smoothed_cross_entropy(logits, torch.full_like(target, IGNORED), 0.1)
    loss.backward()
    assert float(loss.detach()) == 0
    assert not logits.grad.any()
