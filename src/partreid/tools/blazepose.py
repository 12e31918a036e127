"""BlazePose full: 33 landmarks and a mask of one person, on any CPU. The embedded default tool.

Bazarevsky et al., "BlazePose: On-device Real-time Body Pose tracking", 2020, https://arxiv.org/abs/2006.10204.
The network was made for a square around a person: the image is set into one (partreid.tools.squares). Where the score
stays below SURE, other placings with more room for the limbs that a tight box cuts off are tried, and the best one is
kept.
The score is no detector: it trusts that the image is a person's box, and accepts most distractors of Market-1501.

With `looks: 3` a sure image is looked at three times, closer and mirrored too, and the median taken: a third of the
speed, more accurate (README.md has the figures), and hardly ever a left leg taken for a right one by chance.
BlazePose's hips lie lower than those of the rendered people, which a regressor takes from their body's surface; HIPS
moves them up by what fits these. Whether it fits hips that people annotate, as COCO's, has not been measured.

Output beside the common members (partreid.tools): `landmarks` float32 (n, 33, 5): x, y in pixels of the original image,
z on the same scale (relative to the hips, smaller is nearer), visibility and presence as probabilities.
A keypoint's score is its visibility, the probability that it is in the image and not hidden.
"""

from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from partreid.errors import UserError
from partreid.storage import cache, published_weights
from partreid.storage.files import sha256
from partreid.storage.pieces import Work
from partreid.tools import litert
from partreid.tools.base import Images
from partreid.tools.reading import read_original
from partreid.tools.squares import back, letterbox

VERSION = "2"  # raise when the output changes
GIVES = ("keypoints", "landmarks", "person")
SURE = 0.7  # a person score that needs no further placing
MIN_PERSON = 0.5  # below this person score the image is `missing`
MASK = (128, 64)  # rows, columns of the person mask, whatever the image's size
HIPS = 0.05  # of the way from the hips' middle to the shoulders' middle; fitted to rendered people alone
COCO = (0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28)  # BlazePose landmark of each COCO keypoint
MIRROR = (0, 4, 5, 6, 1, 2, 3, 8, 7, 10, 9, *(k + 1 if k % 2 else k - 1 for k in range(11, 33)))  # landmark exchanges


@dataclass(frozen=True)
class Look:
    """One way to set an image into the network's square."""

    fill: float  # share of the square's side that the image's longer side takes
    place: float  # 0 at the top, 0.5 in the middle
    mirrored: bool = False


FIRST = Look(0.85, 0.5)
FURTHER = (Look(0.92, 0.5), Look(0.85, 0.5, mirrored=True))  # taken together with the first
WIDER = (Look(0.7, 0.5), Look(0.6, 0.15))  # for images that the first is not sure of; the last: bodies without legs

Found = tuple[float, np.ndarray, np.ndarray]  # person score, landmarks (33, 5), person probability (*MASK)


def build(images: Images, *, looks: int) -> tuple[dict[str, Any], Work]:
    """See partreid.tools. looks: 1 or 3 per image."""
    if looks not in (1, 3):
        raise UserError(f"tools.blazepose.looks is {looks}, expected 1 or 3")
    model = published_weights.path("blazepose_full")
    parameters = {"looks": looks}
    head = cache.header("tool/blazepose", "blazepose", VERSION, sha256(model), parameters, images.sha256)
    return head, partial(look, images.paths(), images.root, model, looks)


def look(paths: list[str], root: Path, model: Path, looks: int, start: int, stop: int) -> dict[str, np.ndarray]:
    """Run the network on images start..stop-1; the members described in partreid.tools and above."""
    n = stop - start
    result: dict[str, np.ndarray] = {
        "status": np.full(n, cache.FAILED, np.uint8),
        "score": np.zeros(n, np.float32),
        "keypoints": np.zeros((n, 17, 3), np.float32),
        "landmarks": np.zeros((n, 33, 5), np.float32),
        "person": np.zeros((n, *MASK), np.uint8),
    }
    for row in range(n):
        image = read_original(root / paths[start + row])
        if image is None:
            continue
        score, landmarks, person = detect(image, model, looks)
        result["score"][row] = score
        result["status"][row] = cache.OK if score >= MIN_PERSON else cache.MISSING
        if score >= MIN_PERSON:
            result["landmarks"][row] = landmarks
            result["keypoints"][row] = coco(landmarks)
            result["person"][row] = np.rint(255 * person)
    return result


def coco(landmarks: np.ndarray) -> np.ndarray:
    """BlazePose's landmarks (33, 5) as COCO's keypoints (17, 3): x, y, visibility."""
    keypoints = landmarks[list(COCO)][:, [0, 1, 3]]
    shoulders, hips = keypoints[5:7, :2].mean(0), keypoints[11:13, :2].mean(0)
    keypoints[11:13, :2] += HIPS * (shoulders - hips)
    return keypoints


def detect(image: np.ndarray, model: Path, looks: int) -> Found:
    """One image uint8 RGB (H, W, 3); landmarks in its pixels, the person's probability over its extent."""
    found = [glance(image, model, FIRST)]
    if found[0][0] >= SURE:
        if looks == 1:
            return found[0]
        found += [glance(image, model, further) for further in FURTHER]
        if min(score for score, _, _ in found) >= SURE:
            score, landmarks, person = (np.median(np.stack(values), 0) for values in zip(*found, strict=True))
            return float(score), landmarks, person
    else:
        for wider in WIDER:
            found.append(glance(image, model, wider))
            if found[-1][0] >= SURE:
                break
    return max(found, key=lambda one: one[0])


def glance(image: np.ndarray, model: Path, how: Look) -> Found:
    """One look at an image uint8 RGB (H, W, 3); landmarks in its pixels, the person's probability over its extent."""
    if how.mirrored:
        score, landmarks, person = glance(np.ascontiguousarray(image[:, ::-1]), model, replace(how, mirrored=False))
        landmarks = landmarks[list(MIRROR)]
        landmarks[:, 0] = image.shape[1] - landmarks[:, 0]
        return score, landmarks, person[:, ::-1]
    height, width = image.shape[:2]
    square, box = letterbox(image, how.fill, how.place)
    x0, y0, w, h = box
    raw, score, logits = _run(model, square / np.float32(255))
    landmarks = raw.reshape(39, 5)[:33].copy()
    landmarks[:, :2] = back(landmarks[:, :2], box, (height, width))
    landmarks[:, 2] *= height / h
    landmarks[:, 3:] = sigmoid(landmarks[:, 3:])
    inside = sigmoid(logits[y0 : y0 + h, x0 : x0 + w])
    person = cv2.resize(inside, (MASK[1], MASK[0]), interpolation=cv2.INTER_AREA)
    return score, landmarks, person.clip(0, 1)


def sigmoid(x: np.ndarray) -> np.ndarray:
    """Logistic function, without overflow."""
    return 0.5 * (1 + np.tanh(0.5 * x))


@lru_cache(maxsize=1)
def _interpreter(model: Path) -> Any:
    return litert.interpreter(model_path=str(model))


def _run(model: Path, square: np.ndarray) -> tuple[np.ndarray, float, np.ndarray]:
    """The network's landmarks (195,), person score and mask logits (256, 256)."""
    interpreter = _interpreter(model)
    outputs = {output["name"]: output["index"] for output in interpreter.get_output_details()}
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], square[None])
    interpreter.invoke()
    names = ("Identity", "Identity_1", "Identity_2")
    landmarks, score, mask = (interpreter.get_tensor(outputs[name]) for name in names)
    return landmarks[0], float(score[0, 0]), mask[0, :, :, 0]
