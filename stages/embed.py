"""Embed the images of a data set that do not train with a method trained on it, or on another.

Usage: python stages/embed.py METHOD DATASET [TARGET]: trained on DATASET; embeds that or, where it is given, TARGET.
"""

import argparse

from partreid import methods, params
from partreid.errors import UserError, run
from partreid.inference import embed
from partreid.inputs.kinds import read
from partreid.labels import LABELS
from partreid.storage import embeddings, files, image_table, turn
from partreid.storage.cache import Cache
from partreid.storage.image_table import SPLITS
from partreid.storage.places import Run
from partreid.training import precision as arithmetic


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("method")
    parser.add_argument("dataset")
    parser.add_argument("target", nargs="?")
    given = parser.parse_args()
    here = Run(given.method, given.dataset, given.target or given.dataset)
    turn.taken(params.read())
    p = params.load()
    table = image_table.select(image_table.read(here.index), *(split for split in SPLITS if split != "train"))
    if not len(image_table.select(table, "query", "gallery")):
        raise UserError(f"{here.index} has no query and no gallery images, so there is nothing to embed")
    trained = methods.load(here.weights)
    at_test = trained.use(p.at_test.get(here.model, {}))
    device = arithmetic.device_of(p.train.device)
    precision = arithmetic.precision_of(p.train.precision, device, trained.header["backbone"], "test")
    arithmetic.apply(precision.name, device)
    print(f"embeds in {precision.name}: {precision.why}")
    header = {
        **{key: trained.header[key] for key in ("model", "dataset", "recipe", "seed", "labels", "precision")},
        "target": here.target,
        "embedded_in": precision.name,
        "at_test": at_test,
        "distance": trained.method.distance,
        "parts": trained.method.part_names(),
        "trained_by": trained.header["revision"],
        "table": files.sha256(here.index),
        "weights": files.sha256(here.weights),
    }
    image_ids = image_table.integers(table, "image_id")
    for kind in trained.method.labels_at_test:
        as_asked(Cache(LABELS[kind].file(kind, here.target), f"label/{kind}", here.index), p.labels[kind])
    labels = {
        kind: read(kind, LABELS[kind].file(kind, here.target), here.index, image_ids)
        for kind in trained.method.labels_at_test
    }
    batches = embed(trained, table, p.root(here.target), labels, device, precision.mixed)
    embeddings.write(here.embeddings, header, batches)


def as_asked(cache: Cache, wanted: params.Label) -> None:
    """Raise UserError if a label file is older than params.yaml: not for every method is it a dep of this stage."""
    found = {"tool": cache.header["tool"], "version": cache.header.get("version"), **cache.header["parameters"]}
    asked = {"tool": wanted.tool, "version": wanted.version, **wanted.options}
    if differ := [name for name in found if found[name] != asked.get(name)]:
        name = differ[0]
        raise UserError(
            f"{cache.path} was made with {name} = {found[name]!r}, params.yaml has {asked.get(name)!r}; make it again: "
            f"dvc repro data/dvc.yaml:{cache.path.parent.name}@{cache.path.stem}"
        )


if __name__ == "__main__":
    run(main)
