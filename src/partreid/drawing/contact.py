"""A contact sheet of a rendered set."""

from pathlib import Path

import cv2
import numpy as np

from partreid.datasets import synthetic
from partreid.storage.files import write_bytes
from partreid.synthetic.plan import CAMERAS

OUTFITS, TILE = 2, (128, 64)  # shown per person; rows and columns of a picture in pixels
QUALITY = 82  # of the JPEG


def contact_sheet(root: Path, out: Path, persons: int = 10) -> None:
    """Write a JPEG: a row per test person, columns = 2 outfits x 6 cameras, grey where there is no picture."""
    rows = [row for row in synthetic.read(root).to_pylist() if row["split"] != "train"]
    pids = sorted({row["pid"] for row in rows})[:persons]
    sheet = np.full((len(pids), TILE[0], OUTFITS * CAMERAS, TILE[1], 3), 225, np.uint8)
    for row in sorted(
        rows, key=lambda row: bool(row["occluded"]), reverse=True
    ):  # whole persons are drawn last, on top
        outfit = row["clothes_id"] % 10
        if row["pid"] in pids and outfit < OUTFITS:
            image = cv2.imread(str(root / row["path"]))
            column = outfit * CAMERAS + row["camid"]
            sheet[pids.index(row["pid"]), :, column] = cv2.resize(image, TILE[::-1], interpolation=cv2.INTER_AREA)
    flat = sheet.reshape(len(pids) * TILE[0], -1, 3)
    coded = cv2.imencode(".jpg", flat, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1]
    write_bytes(out, coded.tobytes())
