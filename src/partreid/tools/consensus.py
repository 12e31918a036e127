"""What MoveNet, BlazePose and a small network of our own agree on: joints, which of them are seen, the body, its parts.

MoveNet knows joints better, takes the person nearest the middle and tells left from right more often, but has no mask;
BlazePose has one, of the nearer of two people or of what hides the one that is meant. Our own network
(partreid.tools.body_parts) sees what both say of the image (partreid.tools.evidence), and the image: it says of every
cell whether it shows this person's body, and which part.

Sides. MoveNet and BlazePose exchange left and right, from behind above all, each of the whole body. Our own network was
trained against that; where its joints agree more with what another says when that is exchanged, it is (`sided`).

Places. A joint is where our own network's map of it, MOVENET of MoveNet's of its person and BLAZEPOSE of BlazePose's
disc are strongest together, refined by the cells around. Where that is one place for a left and a right joint, because
nothing tells the sides apart, the two share the places that both maps know (`pair`).

Seen. MoveNet and BlazePose also place hidden joints. A keypoint's score is the probability that the joint is seen:
logistic regressions, one per kind of joint, on what `traits` says of it, with weights fitted on rendered people by
stages/consensus.py into consensus.json beside this file. So of joints scored 0.8, 0.8 are seen. Whether the head is
seen, and the box around it: partreid.tools.consensus_head.

Body. `person` and `parsing` are our own network's, smoothed a little, as it decides on quarters of its cells, and
BlazePose's mask as SHARE of `person`. On rendered people that gains nothing (person IoU of the occluded 0.73 to 0.70 at
seed 11), but on photographs our network may take folds, stripes or the dark for something in front: of what BlazePose's
mask and an earlier network both called body, it lost more than 15 % on 5 % of 232 of them, and so on 2 %.

Tried and left out, on rendered people: logistic regressions and gradient-boosted trees of the mask on the limbs' fields
(person IoU of the occluded -0.02 and +0.02), BlazePose in a square around MoveNet's joints (+0.01), left and right by
whether a face is seen (from behind 0.32 to 0.13 exchanged, but from the front 0.08 to 0.15) or, later, by one decision
for the whole body from what our network says of all joints and of being seen from the front (nothing), a U-Net on the
maps without the image and MoveNet's features (nothing). Another decision for the whole body was fitted, by logistic
regression and boosted trees, to how much clearer each network's maps are as they are than with every pair of joints
exchanged, to the pairs' order across the image and to whether a face is seen: of 1,586 people of seed 11, more hidden
ones than usual, 0.083 were exchanged before and, cross-validated, 0.083 to 0.086 after it.

`score` is the mean probability of the JUDGED surest joints; below MIN_SCORE the image is `missing`.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache, partial
from itertools import product
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from partreid.body.skeleton import KEYPOINT_MIRROR, KEYPOINTS
from partreid.labels.geometry import bare
from partreid.storage import cache, published_weights
from partreid.storage.files import sha256
from partreid.storage.pieces import Work
from partreid.tools import body_parts, consensus_head, evidence, movenet
from partreid.tools.base import Images
from partreid.tools.blazepose import MASK, sigmoid
from partreid.tools.body_parts import Parts
from partreid.tools.evidence import Evidence, Networks
from partreid.tools.odds import LEAST, logit, weighed
from partreid.tools.reading import read_original

VERSION = "6"  # raise when the output changes
GIVES = ("keypoints", "person", "parsing", "head")
FITTED = Path(__file__).with_name("consensus.json")
SHARE = 0.4  # of BlazePose in the person's mask
MOVENET, BLAZEPOSE = 0.5, 0.125  # of the two beside our own network in a joint's place
REACH = 2  # cells around a joint's strongest that refine its place
PAIRS = tuple((left, left + 1) for left in range(1, 17, 2))  # of keypoints
TOGETHER = 2.5  # cells: nearer, a left and a right joint are in one place
BOTH, PEAKS = 0.8, 3  # see `pair`
SMOOTH = 0.6  # cells: standard deviation of the Gaussian that the parts' probabilities are blurred with
JUDGED, MIN_SCORE = 6, 0.3


def build(images: Images) -> tuple[dict[str, Any], Work]:
    """See partreid.tools."""
    networks = Networks(*movenet.files(), published_weights.path("blazepose_full"))
    parameters = {name: sha256(getattr(networks, name)) for name in ("graph", "constants", "blazepose")}
    parameters["fitted"] = sha256(FITTED)
    head = cache.header("tool/consensus", "consensus", VERSION, sha256(body_parts.WEIGHTS), parameters, images.sha256)
    return head, partial(look, images.paths(), images.root, networks)


def look(paths: list[str], root: Path, networks: Networks, start: int, stop: int) -> dict[str, np.ndarray]:
    """Judge images start..stop-1; the members described in partreid.tools."""
    n = stop - start
    result: dict[str, np.ndarray] = {
        "status": np.full(n, cache.FAILED, np.uint8),
        "score": np.zeros(n, np.float32),
        "keypoints": np.zeros((n, 17, 3), np.float32),
        "person": np.zeros((n, *MASK), np.uint8),
        "parsing": np.zeros((n, *MASK), np.uint8),
        "head": np.zeros((n, 4), np.float32),
    }
    for row in range(n):
        image = read_original(root / paths[start + row])
        if image is None:
            continue
        size = image.shape[:2]
        said = evidence.gather(image, networks)
        parts = opinion(said)
        keypoints = judge(said, parts, size, fitted()["seen"])
        score = np.sort(keypoints[:, 2])[-JUDGED:].mean()
        result["score"][row] = score
        result["status"][row] = cache.OK if score >= MIN_SCORE else cache.MISSING
        if score >= MIN_SCORE:
            person = 1 - parts.classes[..., 0]
            result["keypoints"][row] = keypoints
            result["person"][row] = np.rint(255 * person)
            result["parsing"][row] = np.where(person >= 0.5, parts.classes[..., 1:].argmax(-1) + 1, 0)
            result["head"][row] = consensus_head.box(said, consensus_head.look(parts, keypoints, size), fitted())
    return result


def opinion(said: Evidence) -> Parts:
    """What our own network says, its classes blurred by SMOOTH, its person with BlazePose's SHARE."""
    parts = body_parts.run(said)
    classes = cv2.GaussianBlur(parts.classes, (0, 0), SMOOTH)
    person = 1 - classes[..., :1]
    shared = (1 - SHARE) * person + SHARE * said.person[..., None]
    each = (classes[..., 1:] + LEAST) / (person + LEAST * (classes.shape[-1] - 1)) * shared
    return replace(parts, classes=np.concatenate([1 - shared, each], -1))


def judge(said: Evidence, parts: Parts, size: tuple[int, int], weights: Mapping[str, list[float]]) -> np.ndarray:
    """Keypoints float32 (17, 3) of an image of `size` (height, width): x, y in its pixels, probability of being seen.

    weights: `seen` of `fitted`.
    """
    said = sided(said, parts)
    cells = spots(said, parts)
    found = np.empty((17, 3), np.float32)
    found[:, :2] = cells * np.array(size[::-1]) / np.array(evidence.GRID[::-1])
    for k, values in enumerate(traits(said, parts, cells)):
        found[k, 2] = sigmoid(weighed(values, weights[bare(KEYPOINTS[k])]))
    return found


def sided(said: Evidence, parts: Parts) -> Evidence:
    """The same, left and right exchanged in all that MoveNet, or BlazePose, says where that agrees more with ours."""
    if agreement(said.own[..., KEYPOINT_MIRROR], parts.seen) > agreement(said.own, parts.seen):
        said = replace(said, own=said.own[..., KEYPOINT_MIRROR], joints=said.joints[..., KEYPOINT_MIRROR])
    if agreement(said.discs[..., KEYPOINT_MIRROR], parts.seen) > agreement(said.discs, parts.seen):
        said = replace(said, discs=said.discs[..., KEYPOINT_MIRROR])
    return said


def agreement(maps: np.ndarray, seen: np.ndarray) -> float:
    """How well two opinions (h, w, 17) agree on the joints: the summed logarithms of their products' peaks."""
    return float(np.log(LEAST + (maps * seen).max((0, 1))).sum())


def spots(said: Evidence, parts: Parts) -> np.ndarray:
    """Where the joints are, x and y in cells: float32 (17, 2)."""
    maps = MOVENET * said.own + BLAZEPOSE * said.discs + parts.seen
    found = places(maps)
    for left, right in PAIRS:
        if np.hypot(*(found[left] - found[right])) < TOGETHER:
            found[[left, right]] = pair(maps[..., left], maps[..., right])
    return found


def places(maps: np.ndarray) -> np.ndarray:
    """Maps (h, w, 17) -> x and y of each one's strongest cell, refined by those around, in cells: float32 (17, 2)."""
    return np.stack([refined(joint, joint.argmax()) for joint in maps.transpose(2, 0, 1)])


def refined(joint: np.ndarray, cell: int | np.intp) -> np.ndarray:
    """x and y, in cells, of the middle of a map (h, w) around the cell of that number: float32 (2,)."""
    row, column = divmod(int(cell), joint.shape[1])
    top, left = max(0, row - REACH), max(0, column - REACH)
    window = joint[top : row + REACH + 1, left : column + REACH + 1]
    weight = max(float(window.sum()), 1e-9)
    down, across = np.arange(window.shape[0]) + top - row, np.arange(window.shape[1]) + left - column
    middle = column + 0.5 + window.sum(0) @ across / weight, row + 0.5 + window.sum(1) @ down / weight
    return np.array(middle, np.float32)


def pair(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Where a left and a right joint are of whose maps (h, w) the strongest cells are one: (2, 2), see `places`.

    The peaks whose strengths have the largest product, which counts only BOTH times where they lie TOGETHER.
    """
    width = left.shape[1]

    def worth(a: int, b: int) -> float:
        near = np.hypot(a // width - b // width, a % width - b % width) < TOGETHER
        return left.flat[a] * right.flat[b] * (BOTH if near else 1)

    a, b = max(product(peaks(left), peaks(right)), key=lambda cells: worth(*cells))
    return np.stack([refined(left, a), refined(right, b)])


def peaks(joint: np.ndarray) -> list[int]:
    """The numbers of a map's PEAKS strongest cells, none within REACH rows and columns of a stronger one."""
    rest, found, width = joint.copy(), [], joint.shape[1]
    for _ in range(PEAKS):
        found.append(int(rest.argmax()))
        row, column = divmod(found[-1], width)
        rest[max(0, row - REACH) : row + REACH + 1, max(0, column - REACH) : column + REACH + 1] = 0
    return found


def traits(said: Evidence, parts: Parts, cells: np.ndarray) -> np.ndarray:
    """What is said of each joint at its place, cells (17, 2): float32 (17, 7).

    Logits of the strongest of MoveNet's own joints, of all, of the discs, of our own network's joints and of the person
    it sees, in the cell and those around it; the strongest of BlazePose's mask there; the logit of the mean over the
    joints of the first.
    """
    own, joints, discs, seen = (_around(maps, cells) for maps in (said.own, said.joints, said.discs, parts.seen))
    ours, theirs = (_around(_coarse(maps), cells) for maps in (1 - parts.classes[..., 0], said.person))
    surest = [logit(value) for value in (own, joints, discs, seen, ours)]
    return np.stack([*surest, theirs, np.full(17, logit(own.mean()))], 1).astype(np.float32)


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


@lru_cache(maxsize=1)
def fitted() -> Mapping[str, Any]:
    """`seen`: kind of joint -> weights of `traits` and constant; for consensus_head, `head` and `chin`: those of its
    traits; `head_from`: the probability from which on there is a head box.
    """
    return json.loads(FITTED.read_text(encoding="utf-8"))
