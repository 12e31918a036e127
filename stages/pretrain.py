"""Train what methods start from on a data set. Usage: python stages/pretrain.py NAME DATASET"""

import sys

from partreid import memory, params, pretraining
from partreid.datasets.prospects import foreseen
from partreid.errors import choose
from partreid.labels import LABELS
from partreid.program import arguments, run
from partreid.storage import files, image_table, places, turn
from partreid.training import run as training
from partreid.training.coverage import covered
from partreid.training.from_disk import training_set


def main() -> None:
    name, dataset = arguments(__doc__, "name", "dataset")
    memory.keep()
    turn.taken(params.read())
    p = params.load()
    recipe, options = p.pretraining_of(name)
    kind = choose(pretraining.PRETRAININGS, name, "pre-training")
    table = places.index(dataset)
    # a published network that learns nothing needs no label, however few images have one
    labels = {label: LABELS[label].file(label, dataset) for label in (kind.labels if recipe.epochs else ())}
    folder = places.pretraining(name, dataset)
    for warning in foreseen(dataset, image_table.read(table), p):
        print(f"warning: {warning}", file=sys.stderr)
    coverage = covered(table, labels, dataset, p.coverage)
    files.writable(folder / "weights.safetensors")
    data = training_set(table, p.root(dataset), labels)
    header = {
        "model": name,
        "backbone": recipe.backbone,
        "options": options,
        "dataset": dataset,
        "recipe": p.recipe,
        "table": files.sha256(table),
        "labels": {label: files.sha256(path) for label, path in labels.items()},
        "coverage": coverage,
    }
    learner = pretraining.initial(name, p.train.seed, backbone=recipe.backbone, identities=data.identities, **options)
    training.run(learner, data, recipe, p.train, header, folder, table)


if __name__ == "__main__":
    run(main)
