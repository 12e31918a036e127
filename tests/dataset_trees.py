"""Tiny data sets laid out in the exact tree of the real ones, names and oddities included."""

from pathlib import Path

import cv2
import numpy as np


def image(path: Path, width: int = 8, height: int = 16, shade: int | None = None) -> Path:
    """Write an image whose pixels depend on the path's name (or on `shade`), in the format of its ending."""
    path.parent.mkdir(parents=True, exist_ok=True)
    seed = list(str(path).encode()) if shade is None else shade
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    ok, data = cv2.imencode(path.suffix.lower(), pixels)
    assert ok
    path.write_bytes(data.tobytes())
    return path


MARKET = {
    "bounding_box_train": [
        "0002_c1s1_000451_03.jpg",
        "0002_c6s2_000451_01.jpg",
        "0007_c3s3_077419_02.jpg",
    ],
    "query": [
        "0001_c1s1_001051_00.jpg",
        "0001_c2s1_000301_00.jpg",
        "1488_c1s6_023021_00.jpg.jpg",
    ],
    "bounding_box_test": [
        "-1_c1s1_000401_03.jpg",
        "-1_c4s6_022316_11.jpg.jpg",
        "0000_c1s1_000151_01.jpg",
        "0001_c1s1_001051_03.jpg",
        "0001_c2s1_000301_02.jpg",
        "1488_c1s6_023021_01.jpg.jpg",
        "1488_c5s3_000003_01.jpg",
    ],
    "gt_bbox": ["0001_c1s1_001051_00.jpg"],
}


def market1501(parent: Path) -> Path:
    """A Market-1501 of 13 images, at parent/Market-1501-v15.09.15, which is returned."""
    root = parent / "Market-1501-v15.09.15"
    for folder, names in MARKET.items():
        for name in names:
            image(root / folder / name, 64, 128)
        (root / folder / "Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0")
    (root / "gt_query").mkdir()
    (root / "gt_query" / "0001_c1s1_001051_00_good.mat").write_bytes(b"MATLAB 5.0 MAT-file")
    (root / "readme.txt").write_text("Market-1501\n")
    return root


def photos(root: Path, people: dict[str, dict[str, int]]) -> Path:
    """root/<person>/<camera>/<n>.jpg for {person: {camera: images}}; camera "" puts images into the person's folder."""
    for person, cameras in people.items():
        for camera, number in cameras.items():
            for n in range(number):
                image(root / person / camera / f"{n}.jpg")
    return root
