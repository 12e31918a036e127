"""What a measure of a label's quality is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

Arrays = Mapping[str, np.ndarray]  # member -> (n, ...)


@dataclass(frozen=True)
class Measure:
    """An entry of partreid.quality.MEASURES: how one label of a tool is compared with the truth's.

    Images are compared a chunk at a time and only a few numbers of each are kept, so that every group of images can be
    summed up afterwards without the maps. A value that a group of images does not have is NaN.
    """

    compare: Callable[[Arrays, Arrays], dict[str, np.ndarray]]  # label of n images by tool and truth -> kept (n, ...)
    summary: Callable[[Arrays], dict[str, float]]  # kept numbers of a group of images -> metric -> value
    details: Callable[[Arrays], dict[str, dict[str, float]]]  # the same -> joint, class or part -> metric -> value
    score: Callable[[Arrays], np.ndarray]  # kept numbers -> float (n,) in 0..1, NaN where truth has nothing to compare
    scored: str  # what the score is, in a few words
    titles: Mapping[str, str]  # metric of the summary -> its name in a table for people


def mean(values: np.ndarray) -> float:
    """Mean of the values that are not NaN; NaN when there are none."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")


def ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """part / whole, elementwise; NaN where whole is 0."""
    return np.divide(part, whole, out=np.full(np.broadcast(part, whole).shape, np.nan), where=whole > 0)
