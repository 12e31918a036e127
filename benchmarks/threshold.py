"""What a threshold that is set on training persons would promise, and what it keeps on persons of the test.

    python benchmarks/threshold.py DATASET WEIGHTS... [--rate 0.001]

The distance below which a share `--rate` of the pairs of different *training* persons lies, and how many pairs are
that near: of the same training person, of different test persons (false matches), of the same test person. The same
network embeds both; WEIGHTS are of one method trained on DATASET, a seed each. Of each split at most 2,048 images, of
all its persons. This is why partreid.search.threshold asks persons whom training never saw.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from partreid import params
from partreid.api.model import Model, load
from partreid.errors import UserError
from partreid.evaluation.distances import DISTANCES
from partreid.experiments.cells import spread
from partreid.program import run
from partreid.search import threshold
from partreid.storage import image_table, places
from partreid.storage.embeddings import Embeddings

COLUMNS = ("training, same person", "test, false matches", "test, same person")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset")
    parser.add_argument("weights", nargs="+", type=Path)
    parser.add_argument("--rate", type=float, default=0.001, help="of the pairs of different persons, a share")
    given = parser.parse_args()
    if not 0 < given.rate < 1:
        raise UserError(f"--rate is a share between 0 and 1, found {given.rate}")
    root = params.load().root(given.dataset)
    table = image_table.without_junk(image_table.read(places.index(given.dataset)))
    trained, tested = (some(image_table.select(table, *splits)) for splits in (("train",), ("query", "gallery")))
    rows = []
    for file in given.weights:
        model = load(file)
        limit, *shares = compared(
            embedded(model, trained, root), embedded(model, tested, root), trained, tested, given.rate
        )
        print(f"{file}: distance {limit:.4f}, " + told([shares]), flush=True)
        rows.append(shares)
    print(f"{len(rows)} trainings: " + told(rows))


def some(table: pa.Table) -> pa.Table:
    """At most threshold.IMAGES rows, every so many: the tables are in the order of persons."""
    return table.take(np.linspace(0, len(table) - 1, min(threshold.IMAGES, len(table))).astype(int))


def embedded(model: Model, table: pa.Table, root: Path) -> Embeddings:
    """The table's images as the model sees them."""
    people = model.embed([root / path for path in table["path"].to_pylist()])
    header = {"distance": people.distance}
    return Embeddings(image_table.integers(table, "image_id"), people.features, people.visibility, header)


def compared(
    trained: Embeddings, tested: Embeddings, of_training: pa.Table, of_test: pa.Table, rate: float
) -> tuple[float, float, float, float]:
    """The distance of the rate among training persons, and the shares that COLUMNS names.

    UserError where there are no pairs to say so of.
    """
    distance = DISTANCES[trained.header["distance"]]
    same, different = threshold.pairs(trained, of_training, distance)
    same_tested, different_tested = threshold.pairs(tested, of_test, distance)
    if not all(map(len, (same, different, same_tested, different_tested))):
        raise UserError(
            "there must be pairs of the same and of different persons both among training and among test images; "
            f"found {len(of_training)} and {len(of_test)} images"
        )
    limit = threshold.at_rate(different, rate)
    found, false, kept = (float((each <= limit).mean()) for each in (same, different_tested, same_tested))
    return limit, found, false, kept


def told(rows: Sequence[Sequence[float]]) -> str:
    """The shares of some trainings in words, with their spread where there is one."""
    return "; ".join(
        f"{name} {spread(shares, 2)} %" for name, shares in zip(COLUMNS, zip(*rows, strict=True), strict=True)
    )


if __name__ == "__main__":
    run(main)
