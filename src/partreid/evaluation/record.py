"""What a result must carry to be repeated and not to be confused with another one."""

import subprocess
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from partreid.evaluation.metrics import FORMULAS
from partreid.evaluation.protocols import Protocol


def record(
    model: str,
    dataset: str,
    header: Mapping[str, Any],
    protocols: Mapping[str, Protocol],
    average_precision: str,
) -> dict[str, Any]:
    """The content of record.json. `header` is the embeddings'; what it does not say is null here.

    revision: the commit of the code that evaluated, changed: whether tracked files differed from it (both null outside
    git). table, weights, labels: sha256 (labels: name -> sha256), as the embeddings' header gives them.
    """
    commit, changed = revision()
    return {
        "model": model,
        "dataset": dataset,
        "seed": header.get("seed"),
        "revision": commit,
        "changed": changed,
        "version": version("partreid"),
        "table": header.get("table"),
        "weights": header.get("weights"),
        "labels": header.get("labels"),
        "distance": header.get("distance"),
        "average_precision": average_precision,
        "average_precision_formula": FORMULAS[average_precision],
        "ties": "entries at equal float32 distance rank in the order of the image table",
        "protocols": {name: protocol.text for name, protocol in protocols.items()},
        "embeddings": dict(header),
    }


def revision() -> tuple[str | None, bool | None]:
    """The current folder's git commit, and whether tracked files differ from it; (None, None) where git knows none."""
    commit = _git("rev-parse", "HEAD")
    if commit is None:
        return None, None
    return commit, bool(_git("status", "--porcelain", "--untracked-files=no"))


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
