"""What is still missing of a data set or a method that somebody is adding: CONTRIBUTING.md lists what each takes."""

import dataclasses
import inspect
from collections.abc import Iterable
from pathlib import Path

from partreid.datasets import DATASETS
from partreid.errors import UserError
from partreid.evaluation import protocols
from partreid.methods import METHODS
from partreid.params import RENDERED, Params, Recipe
from partreid.strict_yaml import loaded

COMMON = {field.name for field in dataclasses.fields(Recipe)}


def protocols_of(params: Params) -> None:
    """Raise a UserError where a chosen data set has no protocols, before it is trained on."""
    for dataset in (params.dataset, *params.also_test_on):
        protocols.of(dataset)


def stages_of(params: Params, file: Path) -> None:
    """Raise a UserError where no stage trains the chosen model, before its labels are made. file: stages/dvc.yaml."""
    missing = []
    if params.model not in params.at_test:
        missing.append(f"a block `{params.model}: {{}}` under `at_test` of params.yaml")
    stages = loaded(file.read_text(encoding="utf-8"))
    learns = next(block["learns"] for block in stages["vars"] if "learns" in block)
    if params.model not in learns:
        missing.append(f"an entry {params.model} of `learns` in {file}")
    if params.model not in [each["name"] for each in stages["stages"]["embed-on"]["matrix"]["method"]]:
        missing.append(f"its name in `embed-on` of {file}")
    if missing:
        raise UserError(f"no stage trains {params.model}: it lacks {'; '.join(missing)}")


def data_sets(params: Params) -> list[str]:
    """Warnings, in words: what is missing of data sets that have a reader."""
    found = []
    for dataset in DATASETS:
        missing = []
        if dataset not in (*params.raw, *RENDERED):
            missing.append(f"`raw` of params.yaml (raw.{dataset}: '')")
        if dataset not in params.datasets:
            missing.append("`datasets` of params.yaml")
        if dataset not in protocols.PROTOCOLS:
            missing.append(f"PROTOCOLS of {protocols.FILE}")
        if missing:
            found.append(f"the data set {dataset} has a reader, but is not in {', nor in '.join(missing)}")
    return found


def recipe_blocks(params: Params, models: Iterable[str]) -> list[str]:
    """Warnings, in words, of models that the chosen recipe forgot: it sets a value of its own for every other method
    that takes it, and the same one, as happens to a copy of a method that left its recipe's block behind.
    """
    over = params.recipes[params.recipe]
    takes = {name: set(inspect.signature(METHODS[name]).parameters) - COMMON for name in METHODS}
    found = []
    for model in models:
        for key in sorted(takes[model] - set(over.get(model, {})) - set(over)):
            others = [name for name in params.methods if name in takes and name != model and key in takes[name]]
            laid = [over.get(name, {}).get(key) for name in others]
            if len(others) > 1 and laid[0] is not None and all(value == laid[0] for value in laid):
                found.append(
                    f"recipe {params.recipe} gives {', '.join(others)} {key} {laid[0]!r}, and not {model}, which takes "
                    f"it too: it is trained otherwise than they. To add: recipes.{params.recipe}.{model}.{key}"
                )
    return found
