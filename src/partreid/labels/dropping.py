"""Taking the label of a share of the images away (`labels.<name>.drop`), to see what a method loses without it.

Whether an image loses its label hangs on its number in the image table alone: all labels of a data set lose the same
images, and what is lost at one share is lost at every larger one. Such an image is like one on which the tool found
nobody: status missing, members as that label has them then, score 0.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from partreid.labels.base import Label
from partreid.storage.cache import MISSING, OK
from partreid.storage.pieces import Work

STEP = np.uint64(0x9E3779B97F4A7C15)
MIXES = ((np.uint64(30), np.uint64(0xBF58476D1CE4E5B9)), (np.uint64(27), np.uint64(0x94D049BB133111EB)))


def dropped(image_ids: np.ndarray, share: float) -> np.ndarray:
    """Which images, by number (n,), lose their label: bool (n,), about `share` of all numbers.

    A number is dropped where its SplitMix64 hash (Steele et al., "Fast splittable pseudorandom number generators",
    OOPSLA 2014) is among the lowest `share` of all hashes.
    """
    mixed = (image_ids.astype(np.uint64) + np.uint64(1)) * STEP
    for shift, factor in MIXES:
        mixed = (mixed ^ (mixed >> shift)) * factor
    mixed ^= mixed >> np.uint64(31)
    return (mixed >> np.uint64(11)).astype(np.float64) * 2.0**-53 < share


def fewer(work: Work, label: Label, header: Mapping[str, Any], share: float) -> Work:
    """The work of a label, with header `header`, that leaves a share of the images without one."""
    return partial(_look, work, dict(label.nobody(header)), share) if share else work


def _look(work: Work, nobody: Mapping[str, float], share: float, start: int, stop: int) -> dict[str, np.ndarray]:
    made = {name: values.copy() for name, values in work(start, stop).items()}
    gone = dropped(np.arange(start, stop), share) & (made["status"] == OK)
    for name, values in made.items():
        values[gone] = MISSING if name == "status" else nobody.get(name, 0)
    return made
