"""What a result must carry to be repeated and not to be confused with another one."""

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from partreid.evaluation.metrics import FORMULAS, TIES
from partreid.evaluation.protocols import Protocol
from partreid.storage.revision import revision


def record(
    model: str,
    dataset: str,
    header: Mapping[str, Any],
    protocols: Mapping[str, Protocol],
    average_precision: str,
    unmatched: str,
) -> dict[str, Any]:
    """The content of record.json. `header` is the embeddings'; what it does not say is null here.

    dataset: what was tested on. revision: the code that evaluated. table, weights: sha256. labels: whatever the
    header says of them.
    """
    return {
        "model": model,
        "dataset": dataset,
        "trained_on": header.get("dataset"),
        "seed": header.get("seed"),
        "revision": revision(),
        "version": installed(),
        "table": header.get("table"),
        "weights": header.get("weights"),
        "labels": header.get("labels"),
        "distance": header.get("distance"),
        "average_precision": average_precision,
        "average_precision_formula": FORMULAS[average_precision],
        "unmatched": f"queries without a right answer: {unmatched}",
        "ties": TIES,
        "protocols": {name: protocol.text for name, protocol in protocols.items()},
        "embeddings": dict(header),
    }


def installed() -> str | None:
    """The package's version; None where its source is run without being installed, which `revision` names."""
    try:
        return version("partreid")
    except PackageNotFoundError:
        return None
