"""speed.json: what benchmarks/speed.py measured of the methods' costs, and whether it would measure the same now."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from partreid.methods import METHODS
from partreid.params import Params
from partreid.storage.source import code

# the code that decides a cost, beside the method's own; labels and tools are timed too
CODE = ("partreid.experiments.costs", "partreid.experiments.timing", "partreid.labels", "partreid.tools")


@dataclass(frozen=True)
class Cost:
    """What a method costs.

    parameters: of the network that a test needs. numbers: per image's embedding. train, test: images per second.
    labels, labels_at_test: what it, with its pre-training, learns from and what a test needs. label: seconds per image
    that the labels take which it learns from; None if not measured.
    """

    parameters: int
    numbers: int
    train: float
    test: float
    label: float | None
    labels: list[str]
    labels_at_test: list[str]


def file(dataset: str) -> Path:
    """Where it lies: beside the leaderboard of the data set."""
    return Path(f"results/compare/{dataset}/speed.json")


def deciding(p: Params, model: str) -> dict[str, Any]:
    """All that a method's cost depends on; a measurement of other values or other code is out of date."""
    recipe, options = p.recipe_of(model)
    training = {name: getattr(recipe, name) for name in ("backbone", "height", "width", "optimizer", "freeze")}
    labels = {kind: [label.tool, label.options] for kind, label in p.labels.items()}
    return {
        "training": {**training, "device": p.train.device, "precision": p.train.precision},
        "options": options,
        "at_test": p.at_test.get(model, {}),
        "labels": labels,
        "tools": p.tools,
        "code": code(METHODS[model].__module__, *CODE),
    }


def measured(about: Mapping[str, Any], p: Params, costs: Mapping[str, Cost]) -> dict[str, Any]:
    """What speed.json holds. about: device, revision, batch, rounds."""
    return {**about, "methods": {model: {**asdict(each), "of": deciding(p, model)} for model, each in costs.items()}}


def recorded(path: Path, p: Params, models: Sequence[str]) -> tuple[dict[str, Cost], str] | None:
    """The costs that a speed.json holds, and where they were measured.

    None when there is none, a model is missing, or was measured with other values or other code: only costs of one run
    can be compared, so it is all or none.
    """
    costs = {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        for model in models:
            block = dict(content["methods"][model])
            if block.pop("of") != deciding(p, model):
                return None
            costs[model] = Cost(**block)
        return costs, f"{content['device']} (revision {content['revision']})"
    except (FileNotFoundError, KeyError, TypeError, ValueError):  # another version's file, or one edited by hand
        return None
