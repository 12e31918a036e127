"""A project folder whose data set `folder` shows persons in plain colours, each by two cameras."""

import hashlib
from pathlib import Path

import cv2
import numpy as np
import yaml

from partreid.storage import image_table

PROJECT = Path(__file__).parents[1]


def project(root: Path, persons: int, training: int = 0) -> dict:
    """Write params.yaml (model bot), photos/ and data/index/folder.parquet; return what params.yaml holds.

    training: so many of the persons, the first ones, are to be trained on, the others to be tested.
    """
    values = yaml.safe_load((PROJECT / "params.yaml").read_text())
    values |= {"model": "bot", "dataset": "folder"}
    values["raw"]["folder"] = str(root / "photos")
    (root / "params.yaml").write_text(yaml.safe_dump(values))
    (root / "photos").mkdir()
    random = np.random.default_rng(0)
    rows = []
    for person in range(persons):
        colours = random.integers(0, 256, (4, 1, 3))
        for camera, split in enumerate(("train", "train") if person < training else ("query", "gallery")):
            image = np.repeat(colours, 32, axis=0) + random.integers(-3, 4, (128, 64, 3))
            path = root / "photos" / f"{person}_{camera}.png"
            cv2.imwrite(str(path), image.clip(0, 255).astype(np.uint8))
            row = {"path": path.name, "split": split, "pid": person, "camid": camera, "width": 64, "height": 128}
            rows.append({**row, "sha1": hashlib.sha1(path.read_bytes()).hexdigest()})
    image_table.write(image_table.build(rows, {}), root / "data/index/folder.parquet")
    return values
