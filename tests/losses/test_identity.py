import pytest
import torch

from partreid.losses.identity import BNNeck, smoothed_cross_entropy


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
