import math

import pytest
import torch

from partreid.losses.multi_similarity import multi_similarity

PAPER = {"alpha_positive": 2.0, "alpha_negative": 40.0, "margin": 0.5}


def slow(features, pid, alpha_positive, alpha_negative, margin, mining):
    total, kept = 0.0, 0
    for a in range(len(pid)):
        s = [float(torch.dot(features[a], f) / (features[a].norm() * f.norm())) for f in features]
        positives = [s[i] for i in range(len(pid)) if pid[i] == pid[a] and i != a]
        negatives = [s[i] for i in range(len(pid)) if pid[i] != pid[a]]
        if not positives or not negatives:
            continue
        hard_positives = [p for p in positives if p - mining < max(negatives)]
        hard_negatives = [n for n in negatives if n + mining > min(positives)]
        kept += len(hard_positives) + len(hard_negatives)
        pull = sum(math.exp(-alpha_positive * (p - margin)) for p in hard_positives)
        push = sum(math.exp(alpha_negative * (n - margin)) for n in hard_negatives)
        total += math.log(1 + pull) / alpha_positive + math.log(1 + push) / alpha_negative
    return total / len(pid), kept


@pytest.mark.parametrize("together", [1, 3])  # how alike a person's images are: at 3 some positives are not hard
@pytest.mark.parametrize("mining", [0.1, 0.7, 2.5])
def test_against_loops(mining, together):
    torch.manual_seed(0)
    pid = torch.tensor([0, 0, 0, 1, 1, 2, 2, 2, 3])  # 3 has no positive
    features = torch.randn(9, 5, dtype=torch.float64) + together * torch.eye(5, dtype=torch.float64)[pid]
    expected, kept = slow(features, pid, **PAPER, mining=mining)
    every = sum(int((pid == p).sum()) - 1 + int((pid != p).sum()) for p in pid.tolist() if p != 3)
    assert kept == every if mining > 2 else kept < every
    assert float(multi_similarity(features, pid, **PAPER, mining=mining)) == pytest.approx(expected, rel=1e-9)


def test_only_directions_count_and_order_does_not():
    torch.manual_seed(0)
    features, pid = torch.randn(8, 4, dtype=torch.float64), torch.arange(8) // 2
    loss = multi_similarity(features, pid, **PAPER, mining=0.7)
    order = torch.randperm(8)
    longer = features[order] * torch.rand(8, 1, dtype=torch.float64).add(0.5)
    assert torch.allclose(multi_similarity(longer, pid[order], **PAPER, mining=0.7), loss, rtol=1e-12)


def test_separated_persons_cost_little_and_nothing_overflows():
    pid = torch.arange(6) // 3
    apart = torch.eye(2)[pid]
    assert float(multi_similarity(apart, pid, **PAPER, mining=2.0)) < 0.4
    assert float(multi_similarity(apart, pid, **PAPER, mining=0.7)) == 0  # no pair is hard
    mixed = torch.ones(6, 2, requires_grad=True)
    loss = multi_similarity(1e4 * mixed, pid, **PAPER | {"alpha_negative": 1000.0}, mining=0.7)
    assert torch.isfinite(loss)
    loss.backward()
    assert torch.isfinite(mixed.grad).all()


@pytest.mark.parametrize("pid", [[0, 1, 2, 3], [0, 0, 0, 0]])
def test_without_pairs_the_loss_is_zero_with_a_gradient(pid):
    features = torch.randn(4, 3, requires_grad=True)
    loss = multi_similarity(features, torch.tensor(pid), **PAPER, mining=0.7)
    assert float(loss.detach()) == 0
    loss.backward()
    assert torch.equal(features.grad, torch.zeros(4, 3))
