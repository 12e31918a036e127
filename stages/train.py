"""Train a method on a data set. Usage: python stages/train.py METHOD DATASET"""

import sys
from typing import Any

from partreid import memory, methods, params
from partreid.datasets.prospects import foreseen
from partreid.labels import LABELS
from partreid.methods.start import load_start, there
from partreid.program import arguments, run
from partreid.storage import files, image_table, places, turn
from partreid.storage.cache import Cache
from partreid.training import run as training
from partreid.training.coverage import covered
from partreid.training.from_disk import training_set


def main() -> None:
    name, dataset = arguments(__doc__, "method", "dataset")
    memory.keep()
    turn.taken(params.read())
    p = params.load()
    recipe, options = p.recipe_of(name)
    wanted = methods.outline(name, backbone=recipe.backbone, **options)  # some options decide what it learns from
    here = places.Run(name, dataset, dataset)
    labels = {label: LABELS[label].file(label, dataset) for label in wanted.labels}
    pretrained = {part: places.pretraining(by, dataset) / here.weights.name for part, by in wanted.starts_from.items()}
    for warning in foreseen(dataset, image_table.read(here.index), p):
        print(f"warning: {warning}", file=sys.stderr)
    coverage = covered(here.index, labels, dataset, p.coverage)
    files.writable(here.weights)
    data = training_set(here.index, p.root(dataset), labels)
    header = {
        "model": name,
        "backbone": recipe.backbone,
        "identities": data.identities,
        "options": options,
        "height": recipe.height,
        "width": recipe.width,
        "dataset": dataset,
        "recipe": p.recipe,
        "table": files.sha256(here.index),
        "labels": {label: files.sha256(path) for label, path in labels.items()},
        "label_tools": {
            label: made_by(label, Cache(path, f"label/{label}", here.index)) for label, path in labels.items()
        },
        "coverage": coverage,
        "pretrained": {part: files.sha256(path) for part, path in pretrained.items()},
    }
    method = methods.initial(
        name, p.train.seed, pretrained, backbone=recipe.backbone, identities=data.identities, **options
    )
    start = there(p.train.start_from)
    if start is not None:
        own = {"backbone": recipe.backbone, "identities": data.identities, **options}
        before = load_start(method, start, name, **own)
        about = {key: before.get(key) for key in ("dataset", "recipe", "seed", "revision")}
        header["start"] = {"file": start.name, "sha256": files.sha256(start), **about}
        print(f"starts from {start}: {name} trained on {before.get('dataset')}; classifiers start at random")
    training.run(method, data, recipe, p.train, header, here.folder, here.index)


def made_by(label: str, cache: Cache) -> dict[str, Any]:
    """How a label was made: enough to make it of other photos (partreid.api.labels)."""
    keys = ("tool", "tool_version", "tool_parameters", "parameters", *LABELS[label].beside)
    return {key: cache.header.get(key) for key in keys}


if __name__ == "__main__":
    run(main)
