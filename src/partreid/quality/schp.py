"""Quality of label `schp`: overlap (IoU) of parsing classes and of the person's mask.

A class's IoU is that of its cells of all images together; the parsing's is the mean over the seven classes, as on the
benchmarks of human parsing. The person is where its probability is 0.5 and more.
A part is seen in an image where it covers at least PRESENT of the cells; precision and recall of that, and their F1,
tell whether a label is silent about what is hidden, the mean is over the six parts.
"""

import numpy as np

from partreid.body.parsing import PARSING
from partreid.quality.base import Arrays, mean, ratio

TITLES = {
    "parsing_iou": "mean IoU of 7 classes",
    "person_iou": "person IoU, mean of images",
    "person_iou_pooled": "person IoU, all cells together",
    "parts_f1": "parts seen or not, F1, mean of 6",
}
SCORED = "mean IoU of the image's classes"
HALF = 128  # of 255
PRESENT = 0.005


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


def seen(confusion: np.ndarray) -> np.ndarray:
    """Confusion (n, 7, 7) -> precision, recall and F1 per class of "it is seen in the image": (7, 3)."""
    least = PRESENT * confusion.sum((1, 2))[:, None]
    true, ours = confusion.sum(2) >= least, confusion.sum(1) >= least  # (n, 7)
    both, said, real = (true & ours).sum(0), ours.sum(0), true.sum(0)
    return np.stack([ratio(both, said), ratio(both, real), ratio(2 * both, said + real)], -1)


def summary(kept: Arrays) -> dict[str, float]:
    """See TITLES."""
    both, either = kept["person"].astype(np.int64).T
    return {
        "parsing_iou": mean(overlap(kept["confusion"].sum(0, dtype=np.int64))),
        "person_iou": mean(ratio(both, either)),
        "person_iou_pooled": float(ratio(both.sum(), either.sum())),
        "parts_f1": mean(seen(kept["confusion"])[1:, 2]),
    }


def details(kept: Arrays) -> dict[str, dict[str, float]]:
    """Per class."""
    values, right = overlap(kept["confusion"].sum(0, dtype=np.int64)), seen(kept["confusion"])
    found = {name: {"iou": float(value)} for name, value in zip(PARSING, values, strict=True)}
    for name, of in zip(PARSING[1:], right[1:].tolist(), strict=True):
        found[name].update(zip(("precision", "recall", "f1"), of, strict=True))
    return found


def score(kept: Arrays) -> np.ndarray:
    """Mean IoU over the classes that truth or tool has in the image."""
    values = overlap(kept["confusion"])
    return np.nansum(values, 1) / (~np.isnan(values)).sum(1)
