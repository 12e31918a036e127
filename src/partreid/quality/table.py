"""The quality table for people."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from partreid.quality import MEASURES
from partreid.quality.groups import GROUPS
from partreid.storage.cache import STATUS


def markdown(values: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> str:
    """Group -> label -> metric -> value, as in quality.json, to a Markdown table with a row per label and metric."""
    groups = [group for group in GROUPS if group in values]
    lines = ["| label | measure | " + " | ".join(groups) + " |", "|---" * (2 + len(groups)) + "|"]
    labels = {label for group in groups for label in values[group]}
    counts = [f"{values[group]['images']['count']:,}" for group in groups]
    lines.append("| | images | " + " | ".join(counts) + " |")
    for label in [name for name in MEASURES if name in labels]:
        shown = f"`{label}`"
        for metric, title in MEASURES[label].titles.items():
            cells = [_cell(values[group].get(label, {}).get(metric)) for group in groups]
            lines.append(f"| {shown} | {title} | " + " | ".join(cells) + " |")
            shown = ""
    return "\n".join(lines) + "\n"


def counts(status: np.ndarray) -> dict[str, int]:
    """How many images (status: uint8 (n,)) there are, and on how many the tool found nobody or failed."""
    of = np.bincount(status, minlength=len(STATUS)).tolist()
    return {"count": len(status), **dict(zip(STATUS[1:], of[1:], strict=True))}


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
