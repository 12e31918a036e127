"""Export a trained model as ONNX, in float32 or int8, and check it against torch on the data set's own images.

Usage: python stages/export.py METHOD DATASET [float32|int8]
Reads runs/<method>-<dataset>/weights.safetensors, writes model-float32.onnx or model-int8.onnx, and a .json beside it:
how it agrees with torch (float32: no file is left where it does not), and of int8 what it costs and saves: the mAP of
both on the data set, and how many photos each embeds in the CPU time in which torch embeds one, with one thread, in
turns. The ranges of int8 come from training images.
"""

import argparse
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from partreid import methods, params
from partreid.errors import UserError, choose
from partreid.evaluation import protocols
from partreid.evaluation.results import evaluate, summary
from partreid.experiments.timing import best
from partreid.export import checking, graph, quantised, sets, speed
from partreid.inference import Reader
from partreid.inputs.kinds import read
from partreid.labels import LABELS
from partreid.methods.base import Trained
from partreid.program import run
from partreid.storage import image_table, turn
from partreid.storage.files import sha256, write_json
from partreid.storage.places import Run

CHECKED = 24  # photos that both answer for
RANGES = 256  # photos that int8's ranges come from
ROUNDS = 7  # of which the fastest counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("method")
    parser.add_argument("dataset")
    parser.add_argument("precision", nargs="?", default="float32", help=" or ".join(params.EXPORTS))
    given = parser.parse_args()
    choose(methods.METHODS, given.method, "model")
    choose(params.EXPORTS, given.precision, "precision")
    turn.taken(params.read())
    here, p = Run(given.method, given.dataset, given.dataset), params.load()
    trained = methods.load(here.weights)
    at_test = trained.use(p.at_test.get(here.model, {}))
    tested = image_table.select(image_table.read(here.index), "query", "gallery", "multi_query")
    if not len(tested):
        raise UserError(f"{here.index} has no query and no gallery images to check the export with")
    reader = reads(tested, trained, here, p)
    photos = sets.example(reader, np.linspace(0, len(tested) - 1, min(CHECKED, len(tested))).astype(int))
    if given.precision == "float32":
        whole = here.folder / "model-float32.onnx"
        agreed = exported(whole, trained, photos, here, at_test)
        write_json(whole.with_suffix(".json"), {**asdict(agreed), "bytes": whole.stat().st_size})
        batches = ", ".join(map(str, checking.BATCHES))
        print(
            f"wrote {whole}: {whole.stat().st_size / 1e6:.1f} MB; onnxruntime and torch agree on {len(photos[0])} "
            f"images in batches of {batches}: {agreed}"
        )
        return
    small = here.folder / "model-int8.onnx"
    with tempfile.TemporaryDirectory(prefix="partreid-") as name:  # one that lies there may be of other values
        whole = Path(name) / "model-float32.onnx"
        exported(whole, trained, photos, here, at_test)
        quantised.quantise(whole, small, ranges(trained, here, p))
        agreed = checking.agreement(checking.session(small), trained.method, photos)
        measured = {"float32": accuracy(whole, reader, tested, here), "int8": accuracy(small, reader, tested, here)}
        runs = speed.alternatives(trained.method, {"float32": whole, "int8": small}, photos)
        seconds = best(ROUNDS, runs, time.process_time)
        sizes = f"{small.stat().st_size / 1e6:.1f} MB, {whole.stat().st_size / 1e6:.1f} MB in float32"
    times = {name: seconds["torch"] / taken for name, taken in seconds.items() if name != "torch"}
    kept = {**asdict(agreed), "bytes": small.stat().st_size, "mAP": measured, "speed": times}
    write_json(small.with_suffix(".json"), kept)
    print(f"wrote {small}: {sizes}; against torch: {agreed}")
    print(f"photos per second, torch 1: {times['float32']:.2f} in float32, {times['int8']:.2f} in int8")
    for protocol, mAP in measured["float32"].items():
        print(f"{protocol}: mAP {100 * mAP:.2f} in float32, {100 * measured['int8'][protocol]:.2f} in int8")


def exported(whole: Path, trained: Trained, photos: Any, here: Run, at_test: Mapping[str, Any]) -> checking.Agreement:
    """Write and check the graph in float32."""
    graph.write(whole, trained, [each[:2] for each in photos], sha256(here.weights), at_test)
    return checking.check(whole, trained.method, photos)


def reads(table: pa.Table, trained: Trained, here: Run, p: params.Params) -> Reader:
    """Reads a table's images and the labels that the method needs in a test."""
    image_ids = image_table.integers(table, "image_id")
    labels = {
        kind: read(kind, LABELS[kind].file(kind, here.target), here.index, image_ids)
        for kind in trained.method.labels_at_test
    }
    return Reader(p.root(here.target), table["path"].to_pylist(), labels, trained.height, trained.width)


def ranges(trained: Trained, here: Run, p: params.Params) -> Any:
    """Photos that are not tested on, for int8's ranges; of a set without any, of those that are."""
    table = image_table.read(here.index)
    others = image_table.select(table, "train", "val")
    chosen = others if len(others) else image_table.select(table, "query", "gallery")
    rows = np.random.default_rng(p.train.seed).permutation(len(chosen))[:RANGES]
    return sets.example(reads(chosen, trained, here, p), rows)


def accuracy(file: Path, reader: Reader, tested: pa.Table, here: Run) -> dict[str, float]:
    """mAP by protocol of what a graph makes of the data set."""
    meta = checking.session(file).get_modelmeta().custom_metadata_map
    ids = image_table.integers(tested, "image_id")
    found = sets.embedded(checking.session(file), reader, ids, meta["partreid.distance"])
    table = image_table.read(here.index)
    there = protocols.reached(protocols.of(here.target), len(image_table.select(table, "gallery")))
    results = {name: evaluate(found, table, protocol) for name, protocol in there.items()}
    return {name: summary(result)["mAP"] for name, result in results.items() if len(result.query)}


if __name__ == "__main__":
    run(main)
