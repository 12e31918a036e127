"""What share of a data set a label covers."""

import numpy as np

from partreid.storage.cache import STATUS


def by_split(split: np.ndarray, status: np.ndarray) -> list[tuple[str, int, list[int]]]:
    """Per split, in order of appearance, and over all: name, images, counts in the order of cache.STATUS.

    split: strings (N,). status: uint8 (N,).
    """
    names = list(dict.fromkeys(split.tolist()))
    groups = [(name, status[split == name]) for name in names] + [("all", status)]
    return [(name, len(group), np.bincount(group, minlength=len(STATUS)).tolist()) for name, group in groups]


def histogram(score: np.ndarray, bins: int = 10) -> list[tuple[float, float, int]]:
    """How many scores (N,) in 0..1 fall in each of `bins` equal intervals: low, high, count."""
    counts, edges = np.histogram(score, bins, (0, 1))
    return [(float(edges[i]), float(edges[i + 1]), int(counts[i])) for i in range(bins)]


def text(split: np.ndarray, status: np.ndarray, score: np.ndarray) -> str:
    """Both as a table for people."""
    lines = [f"{'split':<12}{'images':>8}" + "".join(f"{name:>9}" for name in STATUS) + f"{'ok':>9}"]
    for name, images, counts in by_split(split, status):
        share = f"{counts[0] / max(images, 1):8.1%}"
        lines.append(f"{name:<12}{images:>8}" + "".join(f"{count:>9}" for count in counts) + f" {share}")
    lines += ["", "person score of the images that could be read"]
    bars = histogram(score[status != STATUS.index("failed")])
    most = max((count for _, _, count in bars), default=0)
    for low, high, count in bars:
        lines.append(f"{low:.1f} to {high:.1f}{count:>8}  {'#' * round(40 * count / max(most, 1))}".rstrip())
    return "\n".join(lines) + "\n"
