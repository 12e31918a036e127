"""Run a tool once on every image of a data set. Usage: python stages/tool.py TOOL DATASET"""

import argparse
from pathlib import Path

from partreid import params, records
from partreid.errors import choose, run
from partreid.files import sha256
from partreid.labels import pieces
from partreid.tools import TOOLS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tool", help=", ".join(sorted(TOOLS)))
    parser.add_argument("dataset")
    parser.add_argument("--processes", type=int, help="default: one per core")
    arguments = parser.parse_args()
    tool, dataset = arguments.tool, arguments.dataset
    build = choose(TOOLS, tool, "tool")
    table_file = Path(f"data/index/{dataset}.parquet")
    table = records.read(table_file)
    header, work = build(table, sha256(table_file), params.load().root(dataset))
    out = Path(f"data/tools/{tool}/{dataset}.npz")
    done = pieces.write(out, header, work, len(table), arguments.processes, f"{tool} {dataset}")
    print(f"{out}: {done['images']} images, {done['ok']} ok, {done['missing']} missing, {done['failed']} failed")


if __name__ == "__main__":
    run(main)
