"""Sizes against the papers', and that steps do what training and test do."""

from dataclasses import replace

import pytest
import torch

from partreid import methods, params, pretraining
from partreid.experiments import costs
from partreid.methods import METHODS


def build(project, name, recipe="laptop", **changes):
    values, options = replace(params.load(project / "params.yaml"), recipe=recipe).recipe_of(name)
    torch.manual_seed(0)
    return methods.build(name, backbone=values.backbone, identities=4, **{**options, **changes}), values


@pytest.mark.parametrize("name", sorted(METHODS))
def test_a_training_step_learns_and_a_test_step_embeds(project, name):
    method, recipe = build(project, name)
    batch = costs.made_up(method, 8, 64, 32)
    before = [p.detach().clone() for p in method.parameters()]
    step = costs.training_step(method, recipe, batch)
    assert torch.isfinite(step())
    assert method.training
    assert any(not torch.equal(a, b) for a, b in zip(before, method.parameters(), strict=True))
    features = costs.embedding_step(method, batch)()
    assert not method.training
    assert features.shape[0] == 8
    parameters, numbers = costs.size(method, batch)
    assert numbers == features[0].numel()
    assert 0 < parameters <= sum(p.numel() for p in method.parameters())


def test_classifiers_are_not_counted(project):
    method, _ = build(project, "bot")
    parameters, numbers = costs.size(method, costs.made_up(method, 2, 64, 32))
    channels = method.backbone.channels
    classifier = 4 * channels
    assert parameters == sum(p.numel() for p in method.parameters()) - classifier
    assert numbers == channels
    assert not method.neck.norm.bias.requires_grad  # frozen, counted, and frozen again
    assert all(p.grad is None for p in method.parameters())


@pytest.mark.parametrize(
    ("name", "changes", "million"), [("mpn", {"channel_attention": False}, 31.5), ("pcb", {}, 26.8)]
)
def test_the_sizes_of_mpns_table_9(project, name, changes, million):
    method, _ = build(project, name, recipe="paper", **changes)
    parameters, _ = costs.size(method, costs.made_up(method, 2, 96, 32))
    assert parameters / 1e6 == pytest.approx(million, rel=0.006)


def test_a_made_up_body_is_one_class_everywhere(project):
    maps = costs.body(2)
    assert torch.equal(maps[:, :7].sum(1), torch.ones(2, 128, 64))
    assert torch.equal(maps[:, 7], 1 - maps[:, 0])
    batch = costs.made_up(build(project, "fsam")[0], 8, 64, 32)
    assert batch.pid.tolist() == [0] * 4 + [1] * 4
    assert [rows.tolist() for rows, _ in costs.persons(batch)] == [[0, 1, 2, 3], [4, 5, 6, 7]]


@pytest.mark.parametrize(
    ("name", "changes", "kinds"),
    [
        ("bot", {}, []),
        ("fsam", {}, ["poses", "schp"]),
        ("pabr", {}, ["partmaps"]),  # of its pre-training
        ("pabr", {"part_stream": "none"}, []),
    ],
)
def test_a_method_learns_from_its_own_and_its_pretrainings_labels(project, name, changes, kinds):
    assert pretraining.labels_of(build(project, name, **changes)[0]) == kinds
