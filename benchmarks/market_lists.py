"""Whether the Market rule gives the answers that the authors of Market-1501 wrote down.

Usage: python benchmarks/market_lists.py ROOT, the folder Market-1501-v15.09.15 with gt_query/.

gt_query holds two lists per query: good (right answers) and junk (left out of this query's ranking), as positions,
from 1, in the sorted list of bounding_box_test. Both are compared with what partreid.evaluation.protocols.market_rule
says of the image table of this set. Images of pid -1 are in neither list; the evaluator removes them for all queries.

Where the gallery has no image of the query's person by the query's camera, the junk list holds one number that stands
for no image, 0, instead of nothing (13 queries). It is counted apart; any other difference is an error.
"""

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
from scipy.io import loadmat

from partreid.datasets import market1501
from partreid.errors import UserError
from partreid.evaluation.rules import ids, market_rule
from partreid.program import arguments, run
from partreid.storage import image_table


def listed(query: Path, kind: str) -> np.ndarray:
    """The good or junk list of a query's image file: int64 (n,), from 1, ascending. UserError if there is none."""
    stem = query.name.partition(".jpg")[0]  # some names end in .jpg.jpg
    file = query.parents[1] / "gt_query" / f"{stem}_{kind}.mat"
    try:
        return np.sort(loadmat(file)[f"{kind}_index"].ravel().astype(np.int64))
    except (OSError, KeyError, ValueError) as error:
        raise UserError(f"cannot read {file} ({error}); is the archive unpacked whole?") from error


def compare(table: pa.Table, root: Path) -> tuple[str, list[str]]:
    """What was found, as text, and the queries whose lists differ."""
    queries, gallery = image_table.select(table, "query"), ids(image_table.select(table, "gallery"))
    asking = ids(queries)
    equal, entries, empty = Counter[str](), Counter[str](), 0
    differing: list[str] = []
    for row, path in enumerate(queries["path"].to_pylist()):
        for kind, by_rule in zip(("good", "junk"), market_rule(asking.at(slice(row, row + 1)), gallery), strict=True):
            expected, found = listed(root / path, kind), np.flatnonzero(by_rule.numpy()) + 1
            entries[kind] += len(found)
            if np.array_equal(expected, found):
                equal[kind] += 1
            elif kind == "junk" and not len(found) and expected.tolist() == [0]:
                empty += 1
            else:
                differing.append(f"{path}: {len(expected)} {kind} listed, {len(found)} by the rule")
    lines = [f"{len(queries)} queries, {len(gallery)} gallery images"]
    lines += [f"{kind}: {equal[kind]} lists equal, {entries[kind]} entries by the rule" for kind in ("good", "junk")]
    lines.append(f"junk: {empty} lists hold only a 0 and the rule gives no entry")
    return "\n".join(lines), differing


def main() -> None:
    (folder,) = arguments(__doc__, "root")
    root = Path(folder)
    text, differing = compare(market1501.read(root), root)
    print(text)
    if differing:
        raise UserError(f"{len(differing)} lists differ; the first: {differing[0]}")


if __name__ == "__main__":
    run(main)
