"""Quality of label `schp`: overlap (IoU) of parsing classes and of the person's mask.

A class's IoU is that of its cells of all images together; the parsing's is the mean over the seven classes, as on the
benchmarks of human parsing. The person is where its probability is 0.5 and more.
"""

import numpy as np

from partreid.body.parsing import PARSING
from partreid.quality.base import Arrays, mean, ratio

TITLES = {
    "parsing_iou": "mean IoU of 7 classes",
    "person_iou": "person IoU, mean of images",
    "person_iou_pooled": "person IoU, all cells together",
}
SCORED = "mean IoU of the image's classes"
HALF = 128  # of 255


def compare(tool: Arrays, truth: Arrays) -> dict[str, np.ndarray]:
    """parsing and person uint8 (n, h, w) of both -> counts of cells of each image.

    `confusion` int32 (n, 7, 7): true class, tool's class. `person` int32 (n, 2): both say person, at least one does.
    """
    ours, true = tool["person"] >= HALF, truth["person"] >= HALF
    person = np.stack([(ours & true).sum((1, 2)), (ours | true).sum((1, 2))], -1)
    return {"confusion": confusion(truth["parsing"], tool["parsing"]), "person": person.astype(np.int32)}


def confusion(true: np.ndarray, ours: np.ndarray) -> np.ndarray:
    """Class numbers (n, h, w) each -> int32 (n, 7, 7): cells of each image by true class and by the tool's class."""
    classes = len(PARSING)
    pairs = classes * true.astype(np.intp) + ours
    counts = [np.bincount(image.ravel(), minlength=classes**2) for image in pairs]
    return np.array(counts, np.int32).reshape(len(true), classes, classes)


def overlap(confusion: np.ndarray) -> np.ndarray:
    """Confusion (..., 7, 7) -> IoU per class (..., 7); NaN for a class that is in neither."""
    both = np.diagonal(confusion, axis1=-2, axis2=-1)
    return ratio(both, confusion.sum(-1) + confusion.sum(-2) - both)


def summary(kept: Arrays) -> dict[str, float]:
    """See TITLES."""
    both, either = kept["person"].astype(np.int64).T
    return {
        "parsing_iou": mean(overlap(kept["confusion"].sum(0, dtype=np.int64))),
        "person_iou": mean(ratio(both, either)),
        "person_iou_pooled": float(ratio(both.sum(), either.sum())),
    }


def details(kept: Arrays) -> dict[str, dict[str, float]]:
    """Per class."""
    values = overlap(kept["confusion"].sum(0, dtype=np.int64))
    return {name: {"iou": float(value)} for name, value in zip(PARSING, values, strict=True)}


def score(kept: Arrays) -> np.ndarray:
    """Mean IoU over the classes that truth or tool has in the image."""
    values = overlap(kept["confusion"])
    return np.nansum(values, 1) / (~np.isnan(values)).sum(1)
