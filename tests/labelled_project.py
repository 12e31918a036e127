"""A small project whose labels are looked at: six images, of which one is missing and one broken."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from partreid import params
from partreid.labels import LABELS, native
from partreid.storage import cache, image_table, pieces
from partreid.storage.files import sha256

ROOT = Path(__file__).resolve().parents[1]
PARAMS = (ROOT / "params.yaml").read_text(encoding="utf-8")
SCORE = np.array([0.9, 0.2, 0.0, 0.9, 0.9, 0.6], np.float32)
STATUS = np.array([cache.OK, cache.MISSING, cache.FAILED, cache.OK, cache.OK, cache.OK], np.uint8)

# the 17 keypoints of somebody who stands upright and shows the front, in a 64 x 128 image
PERSON = np.array(
    [
        (32, 16), (34, 14), (30, 14), (37, 15), (27, 15), (42, 30), (22, 30), (46, 48), (18, 48), (47, 64), (17, 64),
        (38, 64), (26, 64), (39, 90), (25, 90), (40, 116), (24, 116),
    ],
    np.float32,
)  # fmt: skip


def detections(shift: float) -> tuple[np.ndarray, np.ndarray]:
    """Keypoints (6, 17, 3) and person masks (6, 128, 64), all of them `shift` pixels right of the middle."""
    keypoints = np.concatenate([PERSON + [shift, 0], np.full((17, 1), 0.9)], 1)[None].repeat(len(STATUS), 0)
    person = np.zeros((len(STATUS), 128, 64), np.uint8)
    person[:, 6:122, 14 + round(shift) : 50 + round(shift)] = 255
    keypoints[STATUS != cache.OK], person[STATUS != cache.OK] = 0, 0
    return keypoints.astype(np.float32), person


def tool(index: Path, name: str, status: np.ndarray, keypoints: np.ndarray, person: np.ndarray) -> None:
    """Write what a tool says of the six images."""

    def work(_start: int, _stop: int) -> dict[str, np.ndarray]:
        return {"status": status, "score": SCORE, "keypoints": keypoints, "person": person}

    head = cache.header(f"tool/{name}", name, "7", "w", {"sure": 0.5}, sha256(index))
    head["gives"] = ["keypoints", "person"]
    pieces.write(Path(f"data/tools/{name}/synthetic.npz"), head, work, len(status), processes=1)


def project(root: Path) -> None:
    """Make the current folder, `root`, a project with six images and what two tools say of them.

    Tool truth says the same as tool blazepose but of image 3, where it sees the person 8 pixels further right, and of
    image 5, where it sees nobody.
    """
    (root / "params.yaml").write_text(PARAMS)
    index = root / "data/index/synthetic.parquet"
    row = {"width": 64, "height": 128, "sha1": "0"}
    people = [("train", 7), ("query", 8), ("gallery", 8), ("train", 7), ("train", 7), ("gallery", -1)]
    rows = [{**row, "path": f"{n}.png", "split": split, "pid": pid} for n, (split, pid) in enumerate(people)]
    image_table.write(image_table.build(rows, {}), index)
    (root / "data/synthetic").mkdir()
    for number in (0, 1, 3, 4, 5):
        cv2.imwrite(f"data/synthetic/{number}.png", np.full((128, 64, 3), 40 * number, np.uint8))
    keypoints, person = detections(0)
    tool(index, "blazepose", STATUS, keypoints, person)
    moved, mask = detections(8)
    keypoints[3], person[3] = moved[3], mask[3]
    status = STATUS.copy()
    status[5] = cache.MISSING
    keypoints[5], person[5] = 0, 0
    tool(index, "truth", status, keypoints, person)


def make(label: str) -> Path:
    """The label's cache, from blazepose."""
    index = Path("data/index/synthetic.parquet")
    block = params.load().labels[label]
    table = image_table.read(index)
    header, work = native.build(label, "blazepose", "synthetic", table, index, block.options)
    path = LABELS[label].file(label, "synthetic")
    pieces.write(path, {**header, "version": block.version}, work, len(table), processes=1)
    return path


def entered(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project in a folder that is the current one until a test's end."""
    monkeypatch.chdir(folder)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    project(folder)
    return folder
