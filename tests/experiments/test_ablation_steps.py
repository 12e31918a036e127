"""Every row of ablations.yaml builds and makes a training step, by the small recipe where that has the row's values."""

import json
from functools import cache
from pathlib import Path

import pytest
import torch

from partreid import methods, params, pretraining, strict_yaml
from partreid.errors import UserError
from partreid.experiments import ablation, check, costs, overrides

PROJECT = Path(__file__).parents[2]
IMAGES = 8  # of two persons


@cache
def rows():
    """Every row as (name, params.yaml with it, row)."""
    return list(read())


def read():
    values = strict_yaml.loaded((PROJECT / "params.yaml").read_text())
    file = PROJECT / "ablations.yaml"
    papers = strict_yaml.loaded(file.read_text())
    for paper, block in papers.items():
        for name in block["tables"]:
            table = ablation.found(papers, file, paper, name)
            for row in table.rows:
                try:
                    changes = ablation.experiment(values, table, row, 1)
                    base = values
                except UserError:  # the small recipe overrides a value of the row
                    base = {**values, "recipe": "paper"}
                    changes = ablation.experiment(base, table, row, 1)
                yield f"{paper}-{name}-{row.name}", params.parse(overrides.changed(base, changes)), row


def learners():
    """What the rows train, rows with equal networks once: name, kind, the module's name, its recipe and options."""
    found = {}
    for name, p, row in rows():
        trained = [("method", p.model, *p.recipe_of(p.model))]
        own = {path.split(".")[1] for path in row.values if path.startswith("pretraining.")}
        trained += [("pretraining", part, *p.pretraining_of(part)) for part in sorted(own)]
        for kind, key, recipe, options in trained:
            same = json.dumps([key, recipe.backbone, recipe.optimizer, options])
            found.setdefault(same, (f"{name}-{key}", kind, key, recipe, options))
    for name, *rest in found.values():
        large = rest[2].backbone.endswith("_384x128")  # takes images of that size alone: seconds on one core
        yield pytest.param(*rest, id=name, marks=[pytest.mark.slow] if large else [])


@pytest.mark.parametrize(("kind", "key", "recipe", "options"), list(learners()))
def test_a_row_makes_a_training_step(kind, key, recipe, options):
    torch.manual_seed(0)
    build = methods.build if kind == "method" else pretraining.build
    learner = build(key, backbone=recipe.backbone, identities=2, **options)
    height, width = (384, 128) if recipe.backbone.endswith("_384x128") else (64, 32)
    batch = costs.made_up(learner, IMAGES, height, width)
    before = {name: p.detach().clone() for name, p in learner.named_parameters()}
    assert torch.isfinite(costs.training_step(learner, recipe, batch)())
    after = dict(learner.named_parameters())
    assert all(torch.isfinite(p).all() for p in after.values())
    learned = {name: not torch.equal(before[name], p) for name, p in after.items() if p.requires_grad}
    parser = {name for name in learned if name.startswith("F_m.")}  # FSAM's S*: with coarse masks it stands by
    if not any(learned[name] for name in parser):
        learned = {name: each for name, each in learned.items() if name not in parser}
    assert sum(learned.values()) > 0.8 * len(learned) > 0


def test_every_row_is_one_that_the_check_stage_lets_pass():
    checked, different = 0, set()
    for _, p, _ in rows():
        checked += 1
        at_test = p.at_test.get(p.model, {})
        same = json.dumps([p.model, p.recipe, p.methods[p.model], p.pretraining, at_test])
        if same in different:
            continue
        different.add(same)
        method = check.learner(methods.METHODS[p.model], *p.recipe_of(p.model), f"methods.{p.model}", p.recipe)
        for part, by in method.starts_from.items():
            other = check.learner(pretraining.PRETRAININGS[by], *p.pretraining_of(by), f"pretraining.{by}", p.recipe)
            check.alike(getattr(method, part), getattr(other, part), part, p.model, by)
        check.options(method.use, at_test, f"at_test.{p.model}")
        method.use(**at_test)
    assert checked > 80
    assert len(different) > 50
