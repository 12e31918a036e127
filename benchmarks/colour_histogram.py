"""How far colour alone gets on a data set: the floor that a learned model must be well above.

Usage: python benchmarks/colour_histogram.py <dataset>

The descriptor: the image, resized to 64 x 128 pixels, loses 12 columns on the left and right, which are mostly
background, and is cut into 8 horizontal strips; each gives a joint histogram of hue, saturation and value (8 x 4 x 4
bins); its bins are divided by their sum and the square root is taken (the Hellinger map), so that Euclidean and cosine
distance rank alike. No training, no person mask. Beside each protocol stands what a random order would score on average
(exact, see partreid.evaluation.metrics.chance).

The margin was chosen on Market-1501's test images among ten variants of the descriptor, whose rank-1 there ran from
16 to 26 %: a floor should rather be too high. On Market-1501 this one gives rank-1 25.1 %, mAP 9.1 %.
"""

from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa

from partreid import params
from partreid.errors import UserError, choose
from partreid.evaluation.metrics import chance
from partreid.evaluation.protocols import PROTOCOLS
from partreid.evaluation.results import evaluate, summary, text
from partreid.program import arguments, run
from partreid.storage import image_table, places
from partreid.storage.embeddings import Embeddings

SIZE = (64, 128)  # width, height in pixels
MARGIN = 12  # pixels of SIZE, left and right
STRIPS = 8
BINS = (8, 4, 4)  # hue, saturation, value


def describe(image: np.ndarray) -> np.ndarray:
    """Histograms of the strips of a BGR uint8 image (h, w, 3): float32 (STRIPS, bins); each strip has length 1."""
    hsv = cv2.cvtColor(cv2.resize(image, SIZE, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2HSV)[:, MARGIN:-MARGIN]
    ranges = np.array([180, 256, 256])  # OpenCV's 8-bit hue runs from 0 to 179
    hue, saturation, value = np.moveaxis(hsv.astype(np.int64) * BINS // ranges, 2, 0)  # (128, 40) each
    cell = (hue * BINS[1] + saturation) * BINS[2] + value
    bins = int(np.prod(BINS))
    counts = [np.bincount(strip.ravel(), minlength=bins) for strip in np.array_split(cell, STRIPS)]
    shares = np.stack(counts) / np.sum(counts, axis=1)[:, None]  # (STRIPS, bins)
    return np.sqrt(shares).astype(np.float32)


def embed(table: pa.Table, root: Path) -> Embeddings:
    """Describe every image of the query and gallery splits. UserError for an image that cannot be read."""
    table = image_table.select(table, "query", "gallery")
    features = np.empty((len(table), STRIPS, int(np.prod(BINS))), np.float32)
    for row, path in enumerate(table["path"].to_pylist()):
        image = cv2.imread(str(root / path))
        if image is None:
            raise UserError(f"cannot read the image {root / path}; is the data set's root in params.yaml right?")
        features[row] = describe(image)
    ones = np.ones(features.shape[:2], np.float32)
    return Embeddings(table["image_id"].to_numpy().astype(np.int64), features, ones, {"distance": "cosine"})


def report(table: pa.Table, root: Path, dataset: str) -> str:
    """Colour histogram and chance, by every protocol of the data set, as text."""
    embeddings = embed(table, root)
    rows: dict[str, dict[str, float | int]] = {}
    for name, protocol in choose(PROTOCOLS, dataset, "data set with protocols").items():
        result = evaluate(embeddings, table, protocol, top=1)
        if len(result.query):
            precision, first = chance(result.right, result.kept)
            by_chance = {"chance mAP": float(precision.mean()), "chance rank1": float(first.mean())}
            rows[name] = {**summary(result), **by_chance}
    return text(rows)


def main() -> None:
    (dataset,) = arguments(__doc__, "dataset")
    table = image_table.read(places.index(dataset))
    print(f"colour histogram on {dataset} (rectangle average precision, per cent)")
    print(report(table, params.load().root(dataset), dataset))


if __name__ == "__main__":
    run(main)
