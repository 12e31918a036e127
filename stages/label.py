"""Make a label cache from a tool's output. Usage: python stages/label.py LABEL DATASET"""

import argparse
from pathlib import Path

from partreid import params, records
from partreid.errors import choose, run
from partreid.labels import LABELS, pieces
from partreid.labels.cache import Cache


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("label", help=", ".join(sorted(LABELS)))
    parser.add_argument("dataset")
    parser.add_argument("--processes", type=int, help="default: one per core")
    arguments = parser.parse_args()
    label, dataset = arguments.label, arguments.dataset
    build = choose(LABELS, label, "label")
    block = choose(params.load().labels, label, "label in params.yaml")
    table_file = Path(f"data/index/{dataset}.parquet")
    table = records.read(table_file)
    native = Cache(Path(f"data/tools/{block.tool}/{dataset}.npz"), f"tool/{block.tool}", table_file)
    header, work = build(native, table, **block.options)
    out = Path(f"data/labels/{label}/{dataset}.npz")
    header["version"] = block.version
    done = pieces.write(out, header, work, len(table), arguments.processes, f"{label} {dataset}")
    print(f"{out}: {done['images']} images, {done['ok']} ok, {done['missing']} missing, {done['failed']} failed")


if __name__ == "__main__":
    run(main)
