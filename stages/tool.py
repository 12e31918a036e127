"""Run a tool once on every image of a data set. Usage: python stages/tool.py TOOL DATASET"""

import argparse
import sys

import numpy as np

from partreid import params
from partreid.datasets.prospects import foreseen
from partreid.errors import choose
from partreid.labels import native
from partreid.program import at_least, run
from partreid.storage import cache, elsewhere, image_table, pieces, places, turn
from partreid.storage.files import sha256
from partreid.tools import TOOLS, reading
from partreid.tools.base import Images


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tool", help=", ".join(sorted(TOOLS)))
    parser.add_argument("dataset")
    parser.add_argument("--processes", type=at_least(1), help="default: one per core, one for tools that use all cores")
    parser.add_argument("--on", help=elsewhere.HELP)
    arguments = parser.parse_args()
    name, dataset = arguments.tool, arguments.dataset
    tool = choose(TOOLS, name, "tool")
    turn.taken(params.read())
    p = params.load()
    file = places.index(dataset)
    foreseen(dataset, image_table.read(file), p)  # stops where nothing could be done with what the tool would say
    images = Images(dataset, image_table.read(file), sha256(file), p.root(dataset), file)
    header, work = tool.build(images, **choose(p.tools, name, "tool in params.yaml"))
    header["gives"] = list(tool.gives)
    out = native.file(name, dataset)
    processes = arguments.processes or tool.processes
    done = pieces.write(out, header, work, len(images.table), processes, f"{name} {dataset}", arguments.on)
    failed = cache.Cache(out, f"tool/{name}", file).status == cache.FAILED
    if warning := reading.told(reading.damaged(images.root, images.table, np.flatnonzero(failed).tolist())):
        print(warning, file=sys.stderr)
    print(f"{out}: {done['images']} images, {done['ok']} ok, {done['missing']} missing, {done['failed']} failed")


if __name__ == "__main__":
    run(main)
