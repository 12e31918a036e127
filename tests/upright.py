"""A person to test label geometry on, and the output of a tool that has seen some."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa

from partreid.body.skeleton import KEYPOINT_MIRROR, KEYPOINTS
from partreid.storage import cache, image_table, pieces
from partreid.storage.files import sha256

# upright, of stature 200 in an image of 128 x 256 pixels, seen from the front
FRONT = {
    "nose": (64, 40), "left_eye": (68, 36), "right_eye": (60, 36), "left_ear": (73, 38), "right_ear": (55, 38),
    "left_shoulder": (86, 60), "right_shoulder": (42, 60), "left_elbow": (92, 92), "right_elbow": (36, 92),
    "left_wrist": (95, 120), "right_wrist": (33, 120), "left_hip": (78, 117.6), "right_hip": (50, 117.6),
    "left_knee": (78, 167), "right_knee": (48, 165), "left_ankle": (80, 215.8), "right_ankle": (46, 212),
}  # fmt: skip
SIZE = np.array([[256, 128]])  # height, width


def person(**scores: float) -> np.ndarray:
    """FRONT as keypoints (1, 17, 3), all with score 1 but for those given."""
    return np.array([[[*FRONT[name], scores.get(name, 1.0)] for name in KEYPOINTS]], np.float32)


def people(count: int, seed: int = 0) -> np.ndarray:
    """Keypoints (count, 17, 3) around FRONT with some scores low; no two alike and none symmetric."""
    random = np.random.default_rng(seed)
    found = person().repeat(count, 0)
    found[..., :2] += random.normal(0, 6, (count, 17, 2))
    found[..., 2] = random.uniform(0.0, 1.0, (count, 17)) ** 0.3
    return found


def flipped(keypoints: np.ndarray, width: float) -> np.ndarray:
    """Keypoints (n, 17, 3) of the mirrored image."""
    mirrored = keypoints[:, list(KEYPOINT_MIRROR)].copy()
    mirrored[..., 0] = width - mirrored[..., 0]
    return mirrored


def blob(rows: int = 128, columns: int = 64) -> np.ndarray:
    """A person mask uint8 (1, rows, columns) around FRONT, not symmetric, with soft edges."""
    y, x = (np.arange(rows) + 0.5)[:, None] / rows * 256, (np.arange(columns) + 0.5) / columns * 128
    head = 1.6 - np.hypot((x - 66) / 13, (y - 36) / 16)
    body = 1.6 - np.hypot((x - 63) / 36, (y - 132) / 78)
    return np.rint(255 * np.maximum(head, body).clip(0, 1)).astype(np.uint8)[None]


def native(
    folder: Path,
    status: np.ndarray,
    members: Mapping[str, np.ndarray],
    splits: str | list[str] = "train",
    tool: str = "made",
    sizes: np.ndarray = SIZE,
) -> tuple[cache.Cache, pa.Table]:
    """Write the output of a tool to <tool>.npz, and the table of its images to index.parquet; returns both.

    status (n,); members: name -> (n, ...), each row that is not ok is emptied; splits, sizes (height, width): one for
    all or n of them.
    """
    n = len(status)
    names = [splits] * n if isinstance(splits, str) else splits
    shapes = [{"height": int(h), "width": int(w)} for h, w in np.broadcast_to(sizes, (n, 2))]
    row = {"pid": 1, "sha1": "0"}
    table = image_table.build([{**row, **shapes[i], "path": f"{i}.jpg", "split": names[i]} for i in range(n)], {})
    index = folder / "index.parquet"
    image_table.write(table, index)
    arrays = {name: values.copy() for name, values in members.items()}
    for name, values in arrays.items():
        values[status != cache.OK] = np.nan if name == "head" else 0
    arrays |= {"status": status, "score": np.linspace(0.5, 1, n).astype(np.float32)}

    def work(start: int, stop: int) -> dict[str, np.ndarray]:
        return {name: values[start:stop] for name, values in arrays.items()}

    head = {**cache.header(f"tool/{tool}", tool, "1", None, {}, sha256(index)), "gives": list(members)}
    path = folder / f"{tool}.npz"
    pieces.write(path, head, work, n, processes=1)
    return cache.Cache(path, f"tool/{tool}", index), table


def written(folder: Path, name: str, suffix: str, header: dict, work: pieces.Work, table: pa.Table) -> cache.Cache:
    """A label written in two processes, as its stage does, and opened again."""
    path = folder / f"{name}{suffix}"
    pieces.write(path, header, work, len(table), processes=2)
    return cache.Cache(path, f"label/{name}", folder / "index.parquet")
