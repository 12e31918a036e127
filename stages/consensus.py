"""Fit what tool `consensus` knows of seen and hidden joints. Usage: python stages/consensus.py FOLDER --out FILE

FOLDER is one that stages/synthetic.py made, with another `synthetic.seed` than that of the people whom the tool is
measured on. Before the networks look, every image is worsened to what surveillance cameras give: fewer rows, JPEG. No
stage of the pipeline: its result comes with partreid, made by

    python stages/consensus.py RENDERED --every 3 --out src/partreid/tools/consensus.json

after the network of partreid.tools.body_parts, which stages/body_parts.py trains on people of other seeds: `seen`,
`head` and `head_from` from seed 11 with 48 and 32 identities, and `chin`, added later, from a run of its own on seed 11
with 512 and 2 identities, --every 2, whose other numbers were not taken: they gave boxes to more hidden heads.
"""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from sklearn.linear_model import LogisticRegression, QuantileRegressor

from partreid.body.skeleton import KEYPOINTS
from partreid.errors import UserError
from partreid.labels.geometry import bare
from partreid.program import at_least, run
from partreid.progress import followed
from partreid.storage import chunks, published_weights
from partreid.storage.files import write_json
from partreid.tools import consensus, consensus_head, evidence, movenet, odds
from partreid.tools.blazepose import sigmoid
from partreid.tools.body_parts import Parts
from partreid.tools.evidence import Evidence
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
    return rounded(model.coef_[0], model.intercept_[0])


def rounded(slopes: np.ndarray, constant: float) -> list[float]:
    return [round(float(value), DIGITS) for value in (*slopes, constant)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--every", type=at_least(1), default=1)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    networks = evidence.Networks(*movenet.files(), published_weights.path("blazepose_full"))
    reader = chunks.Reader(arguments.folder / "truth.npz")
    rows = np.arange(0, len(reader.all("path")), arguments.every)
    paths = reader.rows("path", rows).tolist()
    seen, boxes = reader.rows("keypoints", rows)[..., 2] > 0, reader.rows("head", rows)
    hidden = np.isnan(boxes[:, 0])
    if hidden.all() or not hidden.any():
        counts = f"{len(hidden)} images, {hidden.sum()} without a head"
        raise UserError(f"{arguments.folder}: {counts}; expected some with and some without; render more people")

    said, sizes, traits = [], [], np.empty((len(rows), 17, TRAITS), np.float32)
    for number, path in enumerate(followed(paths, len(paths), "looking")):
        image = read_original(arguments.folder / path)
        if image is None:
            raise UserError(f"cannot read {arguments.folder / path}")
        worse = worsen(image, np.random.default_rng(number))
        found = evidence.gather(worse, networks)
        parts = consensus.opinion(found)
        found = consensus.sided(found, parts)
        traits[number] = consensus.traits(found, parts, consensus.spots(found, parts))
        said.append((replace(found, image=found.image[:0], features=()), parts))  # the rest is most of the memory
        sizes.append(worse.shape[:2])
        boxes[number] *= worse.shape[0] / image.shape[0]
    kinds = [bare(name) for name in KEYPOINTS]
    weights = {}
    for kind in dict.fromkeys(kinds):
        members = [k for k, other in enumerate(kinds) if other == kind]
        weights[kind] = regression(traits[:, members].reshape(-1, TRAITS), seen[:, members].ravel())
    fitted = {"seen": weights, **head(said, sizes, weights, boxes)}
    write_json(arguments.out, fitted)
    print(f"{arguments.out}: from {len(rows)} images")


def head(
    said: list[tuple[Evidence, Parts]], sizes: list[tuple[int, int]], weights: dict[str, list[float]], boxes: np.ndarray
) -> dict[str, Any]:
    """What consensus_head needs. sizes: of the images; weights: `seen`; boxes (n, 4): the true ones, NaN for none."""
    looks = [
        consensus_head.look(parts, consensus.judge(found, parts, size, weights), size)
        for (found, parts), size in zip(said, sizes, strict=True)
    ]
    traits = np.array([consensus_head.traits(found, at) for (found, _), at in zip(said, looks, strict=True)])
    shown = ~np.isnan(boxes[:, 0])
    weighted = regression(traits, shown)
    surest = sigmoid(odds.weighed(traits, weighted))
    least = round(float(np.quantile(surest[shown], 1 - FOUND)), DIGITS)
    chins = [
        (consensus_head.chin_traits(at, at.patch), (y1 - at.patch.middle()[1]) / at.height)
        for at, y1, boxed in zip(looks, boxes[:, 3].tolist(), shown & (surest >= least), strict=True)
        if boxed and at.patch is not None
    ]
    model = QuantileRegressor(quantile=0.5, alpha=0).fit(*map(np.array, zip(*chins, strict=True)))
    return {"head": weighted, "head_from": least, "chin": rounded(model.coef_, model.intercept_)}


if __name__ == "__main__":
    run(main)
