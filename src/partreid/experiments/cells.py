"""Accuracies in a cell of a table, per cent: ours over seeds, and a paper's."""

from collections.abc import Mapping, Sequence

import numpy as np


def spread(values: Sequence[float], digits: int = 1) -> str:
    """Mean and, from two values on, sample standard deviation, in per cent with so many digits after the point."""
    if not values:
        return "-"
    mean = f"{100 * np.mean(values):.{digits}f}"
    return mean if len(values) == 1 else f"{mean} ± {100 * np.std(values, ddof=1):.{digits}f}"


def told(numbers: Mapping[str, float] | None) -> str:
    """A paper's mAP / rank-1 in a cell."""
    return "-" if numbers is None else f"{numbers.get('mAP', '-')} / {numbers['rank1']}"
