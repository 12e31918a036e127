"""Fit what tool `consensus` knows of seen and hidden joints. Usage: python stages/consensus.py FOLDER --out FILE

FOLDER is one that stages/synthetic.py made, with another `synthetic.seed` than that of the people whom the tool is
measured on. Before the networks look, every image is worsened to what surveillance cameras give: fewer rows, JPEG. No
stage of the pipeline: its result comes with partreid, made from seed 11 with 48 and 32 identities by

    python stages/consensus.py RENDERED --every 3 --out src/partreid/tools/consensus.json

after the network of partreid.tools.body_parts, which stages/body_parts.py trains on people of other seeds.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np
from sklearn.linear_model import LogisticRegression

from partreid.body.skeleton import KEYPOINTS
from partreid.errors import UserError, run
from partreid.labels.geometry import bare
from partreid.progress import followed
from partreid.storage import chunks, published_weights
from partreid.storage.files import write_json
from partreid.tools import consensus, evidence, movenet
from partreid.tools.blazepose import sigmoid
from partreid.tools.reading import read_original

HEIGHTS = (96, 128, 128, 160, 256, 256)  # rows of a worsened image
QUALITY = (60, 96)  # of JPEG
DIGITS = 4  # of a weight
TRAITS = 7  # of a joint
FOUND = 0.975  # of the seen heads get a box


def worsen(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Another resolution and JPEG quality: uint8 RGB (H, W, 3) -> (h, w, 3)."""
    height = int(rng.choice(HEIGHTS))
    width = max(1, round(height * image.shape[1] / image.shape[0]))
    small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    coded = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(*QUALITY))])[1]
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR))


def regression(traits: np.ndarray, true: np.ndarray) -> list[float]:
    """Weights (n,) and constant of a logistic regression on traits (N, n) -> bool (N,)."""
    model = LogisticRegression(max_iter=1000).fit(traits, true)
    return [round(value, DIGITS) for value in [*model.coef_[0].tolist(), float(model.intercept_[0])]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    networks = evidence.Networks(*movenet.files(), published_weights.path("blazepose_full"))
    reader = chunks.Reader(arguments.folder / "truth.npz")
    rows = np.arange(0, len(reader.all("path")), arguments.every)
    paths = reader.rows("path", rows).tolist()
    seen, box = reader.rows("keypoints", rows)[..., 2] > 0, ~np.isnan(reader.rows("head", rows)[:, 0])

    said, traits = [], np.empty((len(rows), 17, TRAITS), np.float32)
    for number, path in enumerate(followed(paths, len(paths), "looking")):
        image = read_original(arguments.folder / path)
        if image is None:
            raise UserError(f"cannot read {arguments.folder / path}")
        found = evidence.gather(worsen(image, np.random.default_rng(number)), networks)
        parts = consensus.opinion(found)
        found = consensus.sided(found, parts)
        traits[number] = consensus.traits(found, parts, consensus.spots(found, parts))
        said.append((found, parts))
    kinds = [bare(name) for name in KEYPOINTS]
    weights = {}
    for kind in dict.fromkeys(kinds):
        members = [k for k, other in enumerate(kinds) if other == kind]
        weights[kind] = regression(traits[:, members].reshape(-1, TRAITS), seen[:, members].ravel())
    heads = np.array([consensus.head_traits(*one, consensus.judge(*one, evidence.GRID, weights)) for one in said])
    *slopes, constant = regression(heads, box)
    least = np.quantile(sigmoid(heads[box] @ np.array(slopes) + constant), 1 - FOUND)
    fitted = {"seen": weights, "head": [*slopes, constant], "head_from": round(float(least), DIGITS)}
    write_json(arguments.out, fitted)
    print(f"{arguments.out}: from {len(rows)} images")


if __name__ == "__main__":
    run(main)
