"""Quality of label `pifpaf`: agreement of the maps of K body parts that BPBreID learns from.

Both sides' fields are grouped into K parts (labels.grouping). A cell belongs to its strongest part where that is 0.5
and more, and to the background elsewhere, as in BPBreID (supplementary); ties go to the first part.
"""

import numpy as np
import torch

from partreid.labels import grouping
from partreid.quality.base import Arrays, mean, ratio

PARTS = (5, 8)  # the paper's choices for holistic and for occluded data sets
HALF = 128  # of 255
TITLES = {
    **{f"same{parts}": f"cells with the same part, K = {parts}" for parts in PARTS},
    **{f"iou{parts}": f"mean IoU of the parts, K = {parts}" for parts in PARTS},
}
SCORED = f"share of cells with the same part, K = {PARTS[-1]}"


def compare(tool: Arrays, truth: Arrays) -> dict[str, np.ndarray]:
    """fields uint8 (n, 36, h, w) of both -> counts of cells of each image, for each K.

    `cells<K>` int32 (n, 2): same part on both sides, any part on at least one. `parts<K>` int32 (n, K, 2): part on both
    sides, on at least one.
    """
    kept = {}
    for parts in PARTS:
        ours, true = strongest(tool["fields"], parts), strongest(truth["fields"], parts)
        any_part = (ours > 0) | (true > 0)
        cells = [any_part & (ours == true), any_part]
        numbers = np.arange(1, len(grouping.names(parts)) + 1)[:, None, None]
        in_ours, in_true = ours[:, None] == numbers, true[:, None] == numbers  # (n, K, h, w)
        overlap = [in_ours & in_true, in_ours | in_true]
        kept[f"cells{parts}"] = np.stack([mask.sum((-2, -1)) for mask in cells], -1).astype(np.int32)
        kept[f"parts{parts}"] = np.stack([mask.sum((-2, -1)) for mask in overlap], -1).astype(np.int32)
    return kept


def strongest(fields: np.ndarray, parts: int | str) -> np.ndarray:
    """fields uint8 (n, 36, h, w) -> (n, h, w): 0 background, 1..K the cell's part."""
    maps = grouping.group(torch.from_numpy(fields), parts).numpy()  # (n, K, h, w)
    return np.where(maps.max(1) >= HALF, maps.argmax(1) + 1, 0)


def summary(kept: Arrays) -> dict[str, float]:
    """Over the cells of all images together."""
    same, iou = {}, {}
    for parts in PARTS:
        both, either = kept[f"cells{parts}"].sum(0, dtype=np.int64)
        same[f"same{parts}"] = float(ratio(both, either))
        iou[f"iou{parts}"] = mean(ratio(*kept[f"parts{parts}"].sum(0, dtype=np.int64).T))
    return {**same, **iou}


def details(kept: Arrays) -> dict[str, dict[str, float]]:
    """Per part of each K."""
    found: dict[str, dict[str, float]] = {}
    for parts in PARTS:
        values = ratio(*kept[f"parts{parts}"].sum(0, dtype=np.int64).T)
        for name, value in zip(grouping.names(parts), values, strict=True):
            found.setdefault(name, {})[f"iou{parts}"] = float(value)
    return found


def score(kept: Arrays) -> np.ndarray:
    """The share of the image's cells with the same part, at the largest K; NaN where nobody has a part."""
    both, either = kept[f"cells{PARTS[-1]}"].T
    return ratio(both, either)
