"""Embed the images of a data set that do not train with a method trained on it, or on another. Junk is left out.

Usage: python stages/embed.py METHOD DATASET [TARGET]: trained on DATASET; embeds that or, where it is given, TARGET.
"""

import argparse
from collections.abc import Mapping
from typing import Any

from partreid import embedding, params
from partreid.errors import UserError, choose
from partreid.labels import LABELS
from partreid.methods import METHODS
from partreid.program import at_least, run
from partreid.storage import elsewhere, files, image_table, turn
from partreid.storage.cache import Cache
from partreid.storage.image_table import SPLITS
from partreid.storage.places import Run
from partreid.training import precision as arithmetic


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("method")
    parser.add_argument("dataset")
    parser.add_argument("target", nargs="?")
    parser.add_argument("--processes", type=at_least(1), default=1, help="default: one, which uses all cores")
    parser.add_argument("--on", help=elsewhere.HELP)
    given = parser.parse_args()
    choose(METHODS, given.method, "model")
    here = Run(given.method, given.dataset, given.target or given.dataset)
    turn.taken(params.read())
    p = params.load()
    table = image_table.select(image_table.read(here.index), *(split for split in SPLITS if split != "train"))
    table = image_table.without_junk(table)  # no protocol compares it
    if not len(image_table.select(table, "query", "gallery")):
        raise UserError(f"{here.index} has no query and no gallery images, so there is nothing to embed")
    trained, weights = embedding.load(here.weights)
    at_test = trained.use(p.at_test.get(here.model, {}))
    device = arithmetic.device_of(p.train.device)
    precision = arithmetic.precision_of(p.train.precision, device, trained.header["backbone"])
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
        "weights": weights,
    }
    labels = {kind: LABELS[kind].file(kind, here.target) for kind in trained.method.labels_at_test}
    for kind, file in labels.items():
        as_asked(Cache(file, f"label/{kind}", here.index), p.labels[kind], p.tools)
    work = embedding.Embedding(
        here.weights, weights, at_test, table.select(["image_id", "path"]), here.index, p.root(here.target), labels,
        device.type, precision.name,
    )  # fmt: skip
    embedding.write(here.embeddings, header, work, given.processes, given.on)


def as_asked(cache: Cache, wanted: params.Label, tools: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise UserError if a label file is older than params.yaml: not for every method is it a dep of this stage.

    tools: their values there, of which those count that the file knows too.
    """
    head = cache.header
    found = {
        "tool": head["tool"], "version": head.get("version"), "drop": head.get("drop", 0), **head["parameters"]
    }  # fmt: skip
    asked = {"tool": wanted.tool, "version": wanted.version, "drop": wanted.drop, **wanted.options}
    used = {head["tool"]: head.get("tool_parameters", {})}
    for member in LABELS[cache.path.parent.name].beside:  # the second tool that gives it
        if member in head:
            found[member] = head[member]["tool"]
            used[found[member]] = head[member]["parameters"]
    for tool, values in used.items():
        here = tools.get(tool, {})
        found |= {f"tools.{tool}.{name}": value for name, value in values.items() if name in here}
        asked |= {f"tools.{tool}.{name}": value for name, value in here.items()}
    if differ := [name for name in found if found[name] != asked.get(name)]:
        name = differ[0]
        raise UserError(
            f"{cache.path} was made with {name} = {found[name]!r}, params.yaml has {asked.get(name)!r}; make it again: "
            f"dvc repro data/dvc.yaml:{cache.path.parent.name}@{cache.path.stem}"
        )


if __name__ == "__main__":
    run(main)
