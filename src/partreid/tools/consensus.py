"""What MoveNet and BlazePose agree on: where the joints are, which of them are seen, whether a head is seen, the mask.

MoveNet knows joints better, takes the person nearest the middle and tells left from right more often, but has no mask;
BlazePose has one. Both look at the image and at its mirror image (partreid.tools.evidence).

Places. A joint is where MoveNet's map of its person's joint, and SHARE of BlazePose's disc, are strongest together,
refined by the cells around. Both looks vote, so a side that one look exchanges is not exchanged.

Seen. Both networks also place hidden joints. A keypoint's score is the probability that the joint is seen: logistic
regressions, one per kind of joint, on what `traits` says of it, with weights fitted on rendered people by
stages/consensus.py into consensus.json beside this file. So of joints scored 0.8, 0.8 are seen. `head` likewise, on
`head_traits`; where the probability is below HEAD there is no head box, else it is that of partreid.labels.heads.

Tried and left out, on rendered people: logistic regressions and gradient-boosted trees of the mask on the limbs' fields
(person IoU of the occluded -0.02 and +0.02), BlazePose in a square around MoveNet's joints (+0.01), left and right by
whether a face is seen (from behind 0.32 to 0.13 exchanged, but from the front 0.08 to 0.15), a U-Net on the evidence.

`score` is the mean probability of the JUDGED surest joints; below MIN_SCORE the image is `missing`.
"""

import json
from collections.abc import Mapping
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from partreid.body.skeleton import KEYPOINTS
from partreid.labels import heads
from partreid.labels.geometry import bare
from partreid.storage import cache, published_weights
from partreid.storage.files import sha256
from partreid.storage.pieces import Work
from partreid.tools import evidence, movenet
from partreid.tools.base import Images
from partreid.tools.blazepose import MASK, sigmoid
from partreid.tools.evidence import Evidence, Networks
from partreid.tools.reading import read_original

VERSION = "2"  # raise when the output changes
GIVES = ("keypoints", "person", "head")
WEIGHTS = Path(__file__).with_name("consensus.json")
SHARE = 0.25  # of BlazePose in a joint's place
REACH = 2  # cells around a joint's strongest that refine its place
HEAD = 0.78  # 0.97 of the seen heads of the rendered people that the weights are fitted on are above it
SURE = 0.5  # times the probability of the surest of the head's joints: what another needs to say where the head is
FACE = slice(0, 5)  # the head's joints among the keypoints
JUDGED, MIN_SCORE = 6, 0.3
LEAST = 1e-3  # probabilities are kept this far from 0 and 1 before their logit is taken


def build(images: Images) -> tuple[dict[str, Any], Work]:
    """See partreid.tools."""
    networks = Networks(*movenet.files(), published_weights.path("blazepose_full"))
    parameters = {name: sha256(getattr(networks, name)) for name in ("graph", "constants", "blazepose")}
    head = cache.header("tool/consensus", "consensus", VERSION, sha256(WEIGHTS), parameters, images.sha256)
    return head, partial(look, images.paths(), images.root, networks)


def look(paths: list[str], root: Path, networks: Networks, start: int, stop: int) -> dict[str, np.ndarray]:
    """Judge images start..stop-1; the members described in partreid.tools."""
    n = stop - start
    result: dict[str, np.ndarray] = {
        "status": np.full(n, cache.FAILED, np.uint8),
        "score": np.zeros(n, np.float32),
        "keypoints": np.zeros((n, 17, 3), np.float32),
        "person": np.zeros((n, *MASK), np.uint8),
        "head": np.zeros((n, 4), np.float32),
    }
    for row in range(n):
        image = read_original(root / paths[start + row])
        if image is None:
            continue
        size = image.shape[:2]
        said = evidence.gather(image, networks)
        keypoints = judge(said, size, fitted()["seen"])
        score = np.sort(keypoints[:, 2])[-JUDGED:].mean()
        result["score"][row] = score
        result["status"][row] = cache.OK if score >= MIN_SCORE else cache.MISSING
        if score >= MIN_SCORE:
            result["keypoints"][row] = keypoints
            result["person"][row] = np.rint(255 * said.person)
            result["head"][row] = head(said, keypoints, size)
    return result


def judge(said: Evidence, size: tuple[int, int], weights: Mapping[str, list[float]]) -> np.ndarray:
    """Keypoints float32 (17, 3) of an image of `size` (height, width): x, y in its pixels, probability of being seen.

    weights: `seen` of `fitted`.
    """
    cells = places(said.own + SHARE * said.discs)
    found = np.empty((17, 3), np.float32)
    found[:, :2] = cells * np.array(size[::-1]) / np.array(evidence.GRID[::-1])
    for k, values in enumerate(traits(said, cells)):
        *slopes, constant = weights[bare(KEYPOINTS[k])]
        found[k, 2] = sigmoid(values @ np.array(slopes) + constant)
    return found


def places(maps: np.ndarray) -> np.ndarray:
    """Maps (h, w, 17) -> x and y of each one's strongest cell, refined by those around, in cells: float32 (17, 2)."""
    _, columns, number = maps.shape
    padded = np.pad(maps, ((REACH, REACH), (REACH, REACH), (0, 0)))
    along = np.arange(-REACH, REACH + 1)
    found = np.empty((number, 2), np.float32)
    for k, (row, column) in enumerate(zip(*np.divmod(maps.reshape(-1, number).argmax(0), columns), strict=True)):
        window = padded[row : row + 2 * REACH + 1, column : column + 2 * REACH + 1, k]
        weight = max(float(window.sum()), 1e-9)
        found[k] = column + 0.5 + window.sum(0) @ along / weight, row + 0.5 + window.sum(1) @ along / weight
    return found


def traits(said: Evidence, cells: np.ndarray) -> np.ndarray:
    """What is said of each joint at its place, cells (17, 2): float32 (17, 6).

    Logits of the strongest of MoveNet's own joints, of all, and of the discs, in the cell and those around it; the
    strongest of the mask there, and its doubt; the logit of the mean over the joints of the first.
    """
    own, joints, discs = (_around(maps, cells) for maps in (said.own, said.joints, said.discs))
    person, doubt = (_around(_coarse(maps), cells) for maps in (said.person, said.doubt))
    mean = np.full(17, own.mean())
    return np.stack([logit(own), logit(joints), logit(discs), person, doubt, logit(mean)], 1).astype(np.float32)


def _coarse(maps: np.ndarray) -> np.ndarray:
    rows, columns = evidence.GRID
    small = maps.reshape(rows, maps.shape[0] // rows, columns, -1).mean((1, 3))
    return np.broadcast_to(small[..., None], (rows, columns, 17))


def _around(maps: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """The strongest of maps (h, w, 17) in each joint's cell and the eight around it: (17,)."""
    padded = np.pad(maps, ((1, 1), (1, 1), (0, 0)))
    rows, columns = (np.clip(cells[:, axis].astype(int), 0, maps.shape[1 - axis] - 1) for axis in (1, 0))
    shifts = [(i, j) for i in range(3) for j in range(3)]
    return np.max([padded[rows + i, columns + j, np.arange(17)] for i, j in shifts], 0)


def logit(p: np.ndarray) -> np.ndarray:
    """Of probabilities, LEAST away from 0 and 1."""
    p = p.clip(LEAST, 1 - LEAST)
    return np.log(p / (1 - p))


def head_traits(said: Evidence, keypoints: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """What is said of the head: float32 (5,).

    Logits of the strongest of the head's own joints and of anybody's; of the surest of them, and its mean, the
    probability of being seen; the person's mask around them.
    """
    cells = keypoints[:, :2] * np.array(evidence.GRID[::-1]) / np.array(size[::-1])
    seen = keypoints[FACE, 2]
    own, anybody = said.own[..., FACE].max(), said.joints[..., FACE].max()
    mask = _around(_coarse(said.person), cells)[FACE].mean()
    sure = logit(np.array([own, anybody, seen.max()]))
    return np.array([*sure, seen.mean(), mask], np.float32)


def head(said: Evidence, keypoints: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Corners float32 (4,) of the box around the head; NaN where the probability that it is seen is below HEAD."""
    *slopes, constant = fitted()["head"]
    if sigmoid(head_traits(said, keypoints, size) @ np.array(slopes) + constant) < HEAD:
        return np.full(4, np.nan, np.float32)
    known, sure = keypoints.copy(), keypoints[FACE, 2]
    known[FACE, 2] = sure >= SURE * sure.max()  # from behind no eye is seen, but the head is
    return heads.make(known[None], np.rint(255 * said.person)[None], np.array([size]), min_score=0.5)[0]


@lru_cache(maxsize=1)
def fitted() -> Mapping[str, Any]:
    """`seen`: kind of joint -> weights of `traits` and constant; `head`: weights of `head_traits` and constant."""
    return json.loads(WEIGHTS.read_text(encoding="utf-8"))
