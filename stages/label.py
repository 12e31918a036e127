"""Make a label cache from a tool's output. Usage: python stages/label.py LABEL DATASET"""

import argparse

from partreid import params
from partreid.errors import choose
from partreid.labels import LABELS, native
from partreid.labels.dropping import fewer
from partreid.program import at_least, run
from partreid.storage import elsewhere, image_table, pieces, places, turn


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("label", help=", ".join(sorted(LABELS)))
    parser.add_argument("dataset")
    parser.add_argument("--processes", type=at_least(1), help="default: one per core")
    parser.add_argument("--on", help=elsewhere.HELP)
    arguments = parser.parse_args()
    name, dataset = arguments.label, arguments.dataset
    label = choose(LABELS, name, "label")
    turn.taken(params.read())
    block = choose(params.load().labels, name, "label in params.yaml")
    table_file = places.index(dataset)
    table = image_table.read(table_file)
    header, work = native.build(name, block.tool, dataset, table, table_file, block.options)
    header |= {"version": block.version, "drop": block.drop}
    work = fewer(work, label, header, block.drop)
    out = label.file(name, dataset)
    tools = dict.fromkeys([block.tool, *(block.options[member] for member in label.beside)])
    sources = [native.file(tool, dataset) for tool in tools]
    done = pieces.write(out, header, work, len(table), arguments.processes, f"{name} {dataset}", arguments.on, sources)
    print(f"{out}: {done['images']} images, {done['ok']} ok, {done['missing']} missing, {done['failed']} failed")


if __name__ == "__main__":
    run(main)
