import dataclasses

import pytest
import torch

from partreid import params
from partreid.losses.triplet import (
    DISTANCES,
    batch_hard,
    batch_hard_violating,
    cosine,
    euclidean,
    root_mean_square,
)


def slow_batch_hard(features, pid, margin, compared=None):
    terms = []
    for a in range(len(pid)):
        distance = [float((features[a] - features[b]).norm()) for b in range(len(pid))]
        others = [b for b in range(len(pid)) if b != a and (compared is None or compared[a, b])]
        positives = [distance[b] for b in others if pid[b] == pid[a]]
        negatives = [distance[b] for b in others if pid[b] != pid[a]]
        if positives and negatives:
            terms.append(max(0.0, max(positives) - min(negatives) + margin))
    return sum(terms) / len(terms) if terms else 0.0


@pytest.mark.parametrize("pid", [[0, 0, 1, 1, 2, 2], [0, 0, 0, 1, 2, 2], [5, 5, 5], [1, 2, 3]])
def test_equals_slow_loops(pid):
    features = torch.randn(len(pid), 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    fast = batch_hard(euclidean(features), torch.tensor(pid), 0.3)
    assert float(fast) == pytest.approx(slow_batch_hard(features, pid, 0.3), abs=1e-9)


def test_pairs_that_are_not_compared_are_as_if_absent():
    generator = torch.Generator().manual_seed(0)
    pid = torch.tensor([0, 0, 0, 1, 1, 1, 2, 2])
    features = torch.randn(8, 5, generator=generator, dtype=torch.float64)
    compared = torch.rand(8, 8, generator=generator) < 0.6
    compared[0] = pid == 0  # no negative
    compared[3] = pid != 1  # no positive
    fast = batch_hard(euclidean(features), pid, 0.3, compared)
    assert float(fast) == pytest.approx(slow_batch_hard(features, pid, 0.3, compared), abs=1e-9)
    assert float(fast) != pytest.approx(slow_batch_hard(features, pid, 0.3), abs=1e-3)


def test_a_single_triplet_is_its_own_mean():
    distances, pid = torch.tensor([[0.0, 2.0, 1.0], [2.0, 0.0, 1.9], [1.0, 1.9, 0.0]]), torch.tensor([0, 0, 1])
    compared = torch.tensor([[True, True, True], [False, True, True], [True, True, True]])
    assert float(batch_hard(distances, pid, 0.3, compared)) == pytest.approx(1.3)
    assert float(batch_hard_violating(distances, pid, -0.5)) == pytest.approx(0.5)


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


def test_the_distance_per_channel_knows_no_width():
    features = torch.randn(6, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    slow = [[float((a - b).square().mean().sqrt()) for b in features] for a in features]
    assert torch.allclose(root_mean_square(features), torch.tensor(slow, dtype=torch.float64), atol=1e-6)
    assert torch.allclose(root_mean_square(features.repeat(1, 160)), root_mean_square(features), atol=1e-6)


def test_per_channel_the_triplets_of_a_wide_network_do_not_drown_the_identities(project):
    """MobileNetV2's 1,280 averages: the triplet loss's gradient beside the identity loss's, by both distances."""
    p = params.load(project / "params.yaml")
    _, laptop = p.recipe_of("bot")
    _, paper = dataclasses.replace(p, recipe="paper").recipe_of("bot")
    pid = torch.arange(16) // 4
    features = 0.5 * torch.randn(16, 1280, generator=torch.Generator().manual_seed(0))  # mean distance 25
    pull = {}
    for name, own in (("laptop", laptop), ("paper", paper)):
        x = features.clone().requires_grad_()
        batch_hard(DISTANCES[own["triplet_distance"]](x), pid, own["margin"]).backward()
        pull[name] = float(x.grad.norm())
    assert pull["paper"] / pull["laptop"] == pytest.approx(1280**0.5, rel=1e-3)


@pytest.mark.parametrize("name", ["bot", "pcb", "bpbreid", "fsam"])
def test_every_recipe_for_a_small_backbone_takes_the_distance_per_channel(project, name):
    p = params.load(project / "params.yaml")
    for recipe in p.recipes:
        training, own = dataclasses.replace(p, recipe=recipe).recipe_of(name)
        small = training.backbone.startswith("mobilenet")
        assert own["triplet_distance"] == ("root_mean_square" if small else "euclidean"), recipe


@pytest.mark.parametrize("pid", [[1, 2, 3, 4], [5, 5, 5, 5], [0, 0, 1, 2]])
def test_anchors_without_a_triplet_have_a_finite_gradient(pid):
    features = torch.randn(4, 3, generator=torch.Generator().manual_seed(0)).requires_grad_()
    batch_hard(euclidean(features), torch.tensor(pid), 5.0).backward()
    assert torch.isfinite(features.grad).all()
    assert (features.grad.abs().sum() > 0) == (pid == [0, 0, 1, 2])


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
