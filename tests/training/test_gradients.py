import pytest
import torch
from torch import nn

from partreid.training import gradients


def test_each_terms_norm_is_that_of_its_own_backward_pass_by_what_others_reach_too():
    torch.manual_seed(0)
    trunk, head = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)), nn.Linear(4, 2)
    learner = nn.Sequential(trunk, head)
    trunk[0].bias.requires_grad_(False)
    features = trunk(torch.randn(5, 3))
    terms = {"a": head(features).square().sum(), "b": 100 * features[0, 0], "nothing": torch.zeros(())}
    found = gradients.norms(terms, learner)
    assert float(found["nothing"]) == 0
    for name in ("a", "b"):
        learner.zero_grad()
        terms[name].backward(retain_graph=True)
        shared = torch.cat([p.grad.flatten() for p in trunk.parameters() if p.grad is not None])  # not the head's
        assert float(found[name]) == pytest.approx(float(shared.norm()), rel=1e-5)


def test_the_only_term_is_measured_by_all_that_it_reaches():
    learner = nn.Linear(3, 1)
    assert float(gradients.norms({"loss": learner(torch.ones(2, 3)).sum()}, learner)["loss"]) == 4.0  # 2, 2, 2 and 2


def test_measuring_leaves_the_step_as_it_was():
    learner = nn.Linear(3, 1)
    loss = learner(torch.ones(2, 3)).sum()
    gradients.norms({"loss": loss}, learner)
    assert learner.weight.grad is None
    loss.backward()
    assert learner.weight.grad.tolist() == [[2.0, 2.0, 2.0]]


def test_fewer_and_fewer_epochs_are_measured():
    assert [epoch for epoch in range(40) if gradients.due(epoch)] == [0, 1, 3, 7, 15, 31]
