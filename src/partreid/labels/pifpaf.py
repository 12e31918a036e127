"""Label `pifpaf`: 36 confidence fields per image, for BPBreID.

Members: `fields` uint8 (n, 36, height, width), 255 times the confidence, in the order of partreid.body.skeleton.FIELDS;
`status` uint8 (n,) and `score` float32 (n,) as the tool gave them. Fields of rows that are not ok are all zeros.
From a tool that gives `fields` they are resized to the asked height and width; from keypoints and a person mask they
are drawn by the geometry of partreid.labels.fields, to which `thickness`, `min_score` and `mask` belong.
"""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from partreid.labels import fields, geometry
from partreid.labels.reading import read
from partreid.storage import cache
from partreid.storage.pieces import Work


def build(
    native: cache.Cache,
    table: pa.Table,
    *,
    height: int,
    width: int,
    thickness: float,
    min_score: float,
    mask: bool,
) -> tuple[dict[str, Any], Work]:
    """See partreid.labels. height, width: cells of a field. thickness, min_score: as in fields.draw.

    mask: fill the person mask with the nearest limbs' fields and keep nothing outside it (fields.fill).
    """
    options = {"height": height, "width": width, "thickness": thickness, "min_score": min_score, "mask": mask}
    header = cache.label_header("pifpaf", native.header, options)
    if "fields" in native.header["gives"]:
        return header, partial(resize, native.path, height, width)
    sizes = np.stack([table["height"].to_numpy(), table["width"].to_numpy()], 1)
    return header, partial(look, native.path, sizes, options)


def resize(native: Path, height: int, width: int, start: int, stop: int) -> dict[str, np.ndarray]:
    """Fields of images start..stop-1 from a tool's own fields."""
    status, score, values = read(native, ("status", "score", "fields"), start, stop)
    small = geometry.resample(values.reshape(-1, *values.shape[2:]), height, width)
    small = small.reshape(*values.shape[:2], height, width)
    return {"status": status, "score": score, "fields": np.rint(small).astype(np.uint8)}


def look(native: Path, sizes: np.ndarray, options: dict[str, Any], start: int, stop: int) -> dict[str, np.ndarray]:
    """Fields of images start..stop-1 from keypoints. sizes: (N, 2), height and width in pixels; options as in build."""
    status, score, keypoints, person = read(native, ("status", "score", "keypoints", "person"), start, stop)
    values = make(keypoints, person, sizes[start:stop], **options)
    values[status != cache.OK] = 0
    return {"status": status, "score": score, "fields": values}


def make(
    keypoints: np.ndarray,
    person: np.ndarray,
    sizes: np.ndarray,
    *,
    height: int,
    width: int,
    thickness: float,
    min_score: float,
    mask: bool,
) -> np.ndarray:
    """keypoints (n, 17, 3), person uint8 (n, H', W'), sizes (n, 2) -> fields uint8 (n, 36, height, width)."""
    values = fields.draw(keypoints, sizes, height, width, thickness=thickness, min_score=min_score)
    if mask:
        values = fields.fill(values, geometry.resample(person, height, width) / 255)
    return np.rint(255 * values).astype(np.uint8)
