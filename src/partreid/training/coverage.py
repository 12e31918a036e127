"""Whether enough training images have the labels that a training learns from, asked before its first step."""

import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from partreid.errors import UserError
from partreid.params import Coverage
from partreid.storage import image_table
from partreid.storage.cache import MISSING, OK, Cache


def covered(table: Path, labels: Mapping[str, Path], dataset: str, wanted: Coverage) -> dict[str, float]:
    """Label -> share of the training images (junk left out) whose label is ok; labels: label -> its cache.

    UserError with the counts where a share is below wanted.min_coverage; a warning on stderr below
    wanted.warn_coverage.
    """
    images = image_table.without_junk(image_table.select(image_table.read(table), "train"))
    rows = image_table.integers(images, "image_id")
    shares = {}
    for name, path in labels.items():
        cache = Cache(path, f"label/{name}", table)
        status = cache.status[rows]
        shares[name] = float((status == OK).mean()) if len(status) else 0.0
        if shares[name] < wanted.warn_coverage:
            told = _told(name, dataset, str(cache.header["tool"]), status)
            if shares[name] < wanted.min_coverage:
                raise UserError(
                    f"{told} Training needs {100 * wanted.min_coverage:g} % (labels.min_coverage). Give the label "
                    f"another tool (labels.{name}.tool), mend what the tool reads, or lower labels.min_coverage"
                )
            print(f"warning: {told}", file=sys.stderr)
    return shares


def _told(name: str, dataset: str, tool: str, status: np.ndarray) -> str:
    ok, missing = (int((status == value).sum()) for value in (OK, MISSING))
    return (
        f"label {name} is known for {ok} of {len(status)} training images of {dataset} "
        f"({100 * ok / max(len(status), 1):.1f} %): tool {tool} found nobody in {missing} and failed on "
        f"{len(status) - ok - missing}. Pictures of them: python stages/inspect.py {name} {dataset} --worst."
    )
