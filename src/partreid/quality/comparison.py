"""Applying a measure to all images, and summing up groups of them."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from partreid.progress import progress
from partreid.quality.base import Arrays, Measure
from partreid.storage.chunks import CHUNK

DIGITS = 4  # of a written value

Rows = Callable[[np.ndarray], Arrays]
"""Image ids (n,), ascending -> status and members of a label, (n, ...)."""


def compare(measure: Measure, tool: Rows, truth: Rows, images: int, title: str = "") -> dict[str, np.ndarray]:
    """What the measure keeps of each of `images` images, (N, ...).

    Memory holds one chunk of both sides' labels, whatever the number of images.
    """
    kept = []
    with progress(images, title) as bar:
        for start in range(0, images, CHUNK):
            ids = np.arange(start, min(start + CHUNK, images))
            kept.append(measure.compare(tool(ids), truth(ids)))
            bar.update(len(ids))
    return {name: np.concatenate([part[name] for part in kept]) for name in kept[0]}


def told(
    kept: Mapping[str, Arrays],
    groups: Mapping[str, np.ndarray],
    value: Callable[[str, Arrays], Mapping[str, Any]],
) -> dict[str, dict[str, Any]]:
    """Group -> label -> value(label, what is kept of the group's images); see `rounded`.

    kept: label -> arrays (N, ...). groups: group -> bool (N,).
    """
    found = {}
    for group, mask in groups.items():
        of_group = {label: {name: array[mask] for name, array in of.items()} for label, of in kept.items()}
        found[group] = rounded({label: value(label, of) for label, of in of_group.items()})
    return found


def rounded(values: Mapping[str, Any]) -> dict[str, Any]:
    """Nested mappings with their numbers rounded to DIGITS; NaN, and what is empty without it, left out."""
    result: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            if inner := rounded(value):
                result[name] = inner
        elif not math.isnan(value):
            result[name] = round(value, DIGITS)
    return result
