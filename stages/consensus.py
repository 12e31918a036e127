"""Fit what tool `consensus` knows of seen and hidden joints. Usage: python stages/consensus.py FOLDER --out FILE

FOLDER is one that stages/synthetic.py made, with another `synthetic.seed` than that of the people whom the tool is
measured on. Before the networks look, every image is worsened to what surveillance cameras give: fewer rows, JPEG. No
stage of the pipeline: its result comes with partreid, made from seed 11 with 48 and 32 identities by

    python stages/consensus.py RENDERED --every 3 --out src/partreid/tools/consensus.json
"""

import argparse
from pathlib import Path

import cv2
import numpy as np
from sklearn.linear_model import LogisticRegression

from partreid.body.skeleton import KEYPOINTS
from partreid.errors import run
from partreid.labels.geometry import bare
from partreid.storage import chunks, published_weights
from partreid.storage.files import write_json
from partreid.tools import consensus, evidence, movenet
from partreid.tools.reading import read_original

HEIGHTS = (96, 128, 128, 160, 256, 256)  # rows of a worsened image
QUALITY = (60, 96)  # of JPEG
DIGITS = 4  # of a weight


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

    said, traits = [], np.empty((len(rows), 17, 6), np.float32)
    for number, path in enumerate(paths):
        image = read_original(arguments.folder / path)
        if image is None:
            raise OSError(f"cannot read {arguments.folder / path}")
        found = evidence.gather(worsen(image, np.random.default_rng(number)), networks)
        traits[number] = consensus.traits(found, consensus.places(found.own + consensus.SHARE * found.discs))
        said.append(found)
    kinds = [bare(name) for name in KEYPOINTS]
    weights = {}
    for kind in dict.fromkeys(kinds):
        members = [k for k, other in enumerate(kinds) if other == kind]
        weights[kind] = regression(traits[:, members].reshape(-1, 6), seen[:, members].ravel())
    size = (evidence.GRID[0], evidence.GRID[1])
    heads = np.array([consensus.head_traits(one, consensus.judge(one, size, weights), size) for one in said])
    write_json(arguments.out, {"seen": weights, "head": regression(heads, box)})
    print(f"{arguments.out}: from {len(rows)} images")


if __name__ == "__main__":
    run(main)
