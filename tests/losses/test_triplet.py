import pytest
import torch

from partreid.losses.triplet import batch_hard, batch_hard_violating, cosine, euclidean


def slow_batch_hard(features, pid, margin):
    terms = []
    for a in range(len(pid)):
        distance = [float((features[a] - features[b]).norm()) for b in range(len(pid))]
        positives = [distance[b] for b in range(len(pid)) if pid[b] == pid[a] and b != a]
        negatives = [distance[b] for b in range(len(pid)) if pid[b] != pid[a]]
        if positives and negatives:
            terms.append(max(0.0, max(positives) - min(negatives) + margin))
    return sum(terms) / len(terms) if terms else 0.0


@pytest.mark.parametrize("pid", [[0, 0, 1, 1, 2, 2], [0, 0, 0, 1, 2, 2], [5, 5, 5], [1, 2, 3]])
def test_equals_slow_loops(pid):
    features = torch.randn(len(pid), 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    fast = batch_hard(euclidean(features), torch.tensor(pid), 0.3)
    assert float(fast) == pytest.approx(slow_batch_hard(features, pid, 0.3), abs=1e-9)


def test_order_of_the_batch_changes_nothing():
    features, pid = torch.randn(12, 5), torch.arange(12) % 3
    order = torch.randperm(12)
    assert torch.allclose(
        batch_hard(euclidean(features), pid, 0.3), batch_hard(euclidean(features[order]), pid[order], 0.3)
    )


def test_distances_of_parts_are_batched():
    parts = torch.randn(3, 6, 4)
    assert torch.allclose(euclidean(parts)[1], torch.cdist(parts[1], parts[1]), atol=1e-3)


def test_gradient_is_finite_for_identical_images():
    features = torch.zeros(4, 3, requires_grad=True)
    batch_hard(euclidean(features), torch.tensor([0, 0, 1, 1]), 0.3).backward()
    assert torch.isfinite(features.grad).all()


def test_mean_over_the_violating_triplets():
    features = torch.randn(12, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    pid, margin, terms = torch.arange(12) % 3, -0.9, []
    for a in range(12):
        distance = [1 - float(torch.cosine_similarity(features[a], features[b], dim=0)) for b in range(12)]
        positive = max(distance[b] for b in range(12) if pid[b] == pid[a] and b != a)
        negative = min(distance[b] for b in range(12) if pid[b] != pid[a])
        terms.append(positive - negative + margin)
    violating = [term for term in terms if term > 0]
    assert 0 < len(violating) < 12
    fast = batch_hard_violating(cosine(features), pid, margin)
    assert float(fast) == pytest.approx(sum(violating) / len(violating), abs=1e-9)


def test_no_violating_triplet_costs_nothing():
    features = torch.eye(4).repeat_interleave(2, 0).requires_grad_()
    loss = batch_hard_violating(cosine(features), torch.arange(8) // 2, 0.2)
    assert float(loss.detach()) == 0
    loss.backward()
    assert features.grad.abs().sum() == 0
    assert float(batch_hard_violating(cosine(torch.randn(3, 4)), torch.arange(3), 0.2)) == 0
