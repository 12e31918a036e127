"""Write a data set's image table, data/index/DATASET.parquet. Usage: python stages/index.py [--check] DATASET"""

import argparse

from partreid import params
from partreid.datasets import DATASETS, notes, read, summary
from partreid.datasets.prospects import foreseen
from partreid.errors import UserError, choose
from partreid.program import run
from partreid.storage import image_table, places, turn


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", help=", ".join(DATASETS))
    parser.add_argument("--check", action="store_true", help="only compare found with published counts, write nothing")
    arguments = parser.parse_args()
    dataset: str = arguments.dataset
    choose(DATASETS, dataset, "data set")
    turn.taken(params.read())
    p = params.load()
    table = read(dataset, p.root(dataset), p.split)
    if arguments.check:
        text, differing = summary.comparison(table)
        print(text)
        print(summary.troubles(table))
        if differing:
            raise UserError(f"{differing} counts differ from the published ones: the copy is incomplete or altered")
        return
    # only told: in the table, whose bytes all else hangs on, they would change with what params.yaml chooses
    prospects = [line for line in foreseen(dataset, table, p) if line not in notes.warnings(table)]
    out = places.index(dataset)
    image_table.write(table, out)
    print(summary.splits(table))
    print(summary.troubles(table))
    for warning in prospects:
        print(f"warning: {warning}")
    print(f"{out}: {len(table)} images")


if __name__ == "__main__":
    run(main)
