"""BlazePose full: 33 landmarks and a mask of one person, on any CPU. The embedded default tool.

Bazarevsky et al., "BlazePose: On-device Real-time Body Pose tracking", 2020, https://arxiv.org/abs/2006.10204.
The network was made for a square around a person, so the image, which is a person's box, is set into a black square.
How much of it the image should fill was tried on 400 random training images of Market-1501: at 0.85 a person is found
(score above 0.5) in 93.0 % of them, at 0.7 in 97.0 %: there is room for the limbs that a tight box cuts off. Where the
score stays below SURE, a smaller placing near the top, for bodies without legs, is tried too and the better one kept:
99.5 %. The score is no detector: it trusts that the image is a person's box. Of 150 random distractors of the same set
(bad boxes, many with half a body or none) it accepts 42 %, 49 % and 65 % in those three settings.

Output beside the common members (partreid.tools): `landmarks` float32 (n, 33, 5): x, y in pixels of the original image,
z on the same scale (relative to the hips, smaller is nearer), visibility and presence as probabilities.
A keypoint's score is its visibility, the probability that it is in the image and not hidden.
"""

from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from partreid import weights
from partreid.files import sha256
from partreid.labels import cache
from partreid.labels.pieces import Work
from partreid.tools.base import Images
from partreid.tools.reading import read_original

VERSION = "1"  # raise when the output changes
GIVES = ("keypoints", "landmarks", "person")
SIDE = 256  # pixels of the network's square input
ATTEMPTS = ((0.7, 0.5), (0.6, 0.15))  # share of the square that the image's longer side fills; place, 0 top to 1 bottom
SURE = 0.9  # a person score that needs no further attempt
MIN_PERSON = 0.5  # below this person score the image is `missing`
MASK = (128, 64)  # rows, columns of the person mask, whatever the image's size
COCO = (0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28)  # BlazePose landmark of each COCO keypoint


def build(images: Images) -> tuple[dict[str, Any], Work]:
    """See partreid.tools."""
    model = weights.path("blazepose_full")
    parameters = {"attempts": ATTEMPTS, "sure": SURE, "min_person": MIN_PERSON, "mask": MASK}
    head = cache.header("tool/blazepose", "blazepose", VERSION, sha256(model), parameters, images.sha256)
    return head, partial(look, images.paths(), images.root, model)


def look(paths: list[str], root: Path, model: Path, start: int, stop: int) -> dict[str, np.ndarray]:
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
        score, landmarks, person = detect(image, model)
        result["score"][row] = score
        result["status"][row] = cache.OK if score >= MIN_PERSON else cache.MISSING
        if score >= MIN_PERSON:
            result["landmarks"][row] = landmarks
            result["keypoints"][row] = landmarks[list(COCO)][:, [0, 1, 3]]
            result["person"][row] = np.rint(255 * person)
    return result


def detect(image: np.ndarray, model: Path) -> tuple[float, np.ndarray, np.ndarray]:
    """One image uint8 RGB (H, W, 3) -> person score, landmarks (33, 5), person probability (*MASK) over the image."""
    best: tuple[float, np.ndarray, np.ndarray] | None = None
    for fill, place in ATTEMPTS:
        found = _attempt(image, model, fill, place)
        best = found if best is None or found[0] > best[0] else best
        if best[0] >= SURE:
            break
    assert best is not None  # ATTEMPTS is not empty
    return best


def _attempt(image: np.ndarray, model: Path, fill: float, place: float) -> tuple[float, np.ndarray, np.ndarray]:
    height, width = image.shape[:2]
    square, (x0, y0, w, h) = letterbox(image, fill, place)
    raw, score, logits = _run(model, square)
    landmarks = raw.reshape(39, 5)[:33].copy()
    landmarks[:, 0] = (landmarks[:, 0] - x0) * width / w
    landmarks[:, 1] = (landmarks[:, 1] - y0) * height / h
    landmarks[:, 2] *= height / h
    landmarks[:, 3:] = sigmoid(landmarks[:, 3:])
    inside = sigmoid(logits[y0 : y0 + h, x0 : x0 + w])
    person = cv2.resize(inside, (MASK[1], MASK[0]), interpolation=cv2.INTER_AREA)
    return score, landmarks, person.clip(0, 1)


def letterbox(image: np.ndarray, fill: float, place: float) -> tuple[np.ndarray, tuple[int, int, int, int]]:
    """Set the image into a black square: float32 (SIDE, SIDE, 3) in 0..1, and where it lies there: x, y, w, h.

    fill: share of the square's side that the image's longer side takes. place: 0 at the top, 0.5 in the middle.
    """
    height, width = image.shape[:2]
    scale = fill * SIDE / max(height, width)
    h, w = max(1, round(height * scale)), max(1, round(width * scale))
    y0, x0 = round((SIDE - h) * place), (SIDE - w) // 2
    square = np.zeros((SIDE, SIDE, 3), np.float32)
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    square[y0 : y0 + h, x0 : x0 + w] = cv2.resize(image, (w, h), interpolation=method) / np.float32(255)
    return square, (x0, y0, w, h)


def sigmoid(x: np.ndarray) -> np.ndarray:
    """Logistic function, without overflow."""
    return 0.5 * (1 + np.tanh(0.5 * x))


@lru_cache(maxsize=1)
def _interpreter(model: Path) -> Any:
    from ai_edge_litert.interpreter import Interpreter  # here: only the processes that run the network load it

    cv2.setNumThreads(1)  # one thread per process: the processes already take all cores
    interpreter = Interpreter(model_path=str(model), num_threads=1)
    interpreter.allocate_tensors()
    return interpreter


def _run(model: Path, square: np.ndarray) -> tuple[np.ndarray, float, np.ndarray]:
    """The network's landmarks (195,), person score and mask logits (256, 256)."""
    interpreter = _interpreter(model)
    outputs = {output["name"]: output["index"] for output in interpreter.get_output_details()}
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], square[None])
    interpreter.invoke()
    names = ("Identity", "Identity_1", "Identity_2")
    landmarks, score, mask = (interpreter.get_tensor(outputs[name]) for name in names)
    return landmarks[0], float(score[0, 0]), mask[0, :, :, 0]
