"""PRCC (Yang et al., Person Re-identification by Contour Sketch under Moderate Clothing Change, TPAMI 2021).

Source: www.isee-ai.cn/~yangqize/clothing.html. Research only.

A person wears one outfit before cameras A and B and another before camera C. Train and val show the same 150 persons,
in a folder each, with the camera in the name (`A_cropped_rgb001.jpg`); the test shows 71 others, in folders by camera
and person (`A/005/cropped_rgb001.jpg`). Gallery: test A. Queries: test B (same clothes) and test C (other clothes),
both of the split `query`; a protocol picks one by its camera. No query shares its camera with the gallery.

Published numbers rank against one random image of each person of A, ten times, or against all of A. The two differ by
tens of points, so a number says nothing without its protocol. The contour sketches (sketch/) are not read.
"""

import re
from pathlib import Path

import pyarrow as pa

from partreid.datasets import counts
from partreid.datasets.images import Row
from partreid.datasets.survey import Survey
from partreid.datasets.walk import printable

ARCHIVE = "prcc"
CAMERAS = "ABC"
FOLDERS = {  # folder -> split, camera ("" = the name says it)
    "rgb/train": ("train", ""),
    "rgb/val": ("val", ""),
    "rgb/test/A": ("gallery", "A"),
    "rgb/test/B": ("query", "B"),
    "rgb/test/C": ("query", "C"),
}
NAME = re.compile(r"([ABC])_cropped_rgb(\d+)\.jpg", re.ASCII)
TEST_NAME = re.compile(r"()cropped_rgb(\d+)\.jpg", re.ASCII)
TREE = """
prcc/                          this folder, or the one that holds it
  rgb/
    train/                     150 folders, one per person, with 17,896 images like A_cropped_rgb001.jpg
    val/                       the same persons, 5,002 images
    test/
      A/                       71 folders, one per person, with 3,384 images like cropped_rgb001.jpg
      B/                       the same persons, 3,873 images
      C/                       the same persons, 3,543 images
"""

# The paper: 221 persons (150 + 71), 33,698 images. A, B, C as in Tran Thanh et al. (PAH-Net), section 4.1; it adds up.
PUBLISHED: counts.Counts = {
    "train images": 17896,
    "train persons": 150,
    "val images": 5002,
    "val persons": 150,
    "query images": 7416,
    "query persons": 71,
    "query images per camera": [0, 3873, 3543],
    "gallery images": 3384,
    "gallery persons": 71,
    "gallery images per camera": [3384],
}


def read(root: Path) -> pa.Table:
    """Read the image table of the set at `root` (its own folder or the one that holds it).

    Rows: train, val, query, gallery, each in byte order of the paths. pid is the person's folder, camid 0, 1, 2 for A,
    B, C, frame the name's number, clothes_id twice the pid, plus 1 for C. Raises UserError when one of the five folders
    is missing or all are empty; a copy that lacks images only gets warnings.
    """
    survey = Survey(root, tuple(FOLDERS), ARCHIVE, TREE)
    rows: list[Row] = []
    for folder, (split, camera) in FOLDERS.items():
        name, example = (TEST_NAME, "cropped_rgb001.jpg") if camera else (NAME, "A_cropped_rgb001.jpg")
        for path, match in survey.by_person(folder, name, example):
            person = Path(path).parent.name
            if not re.fullmatch(r"\d+", person, re.ASCII):
                survey.skipped.append([printable(path), "the person's folder is not named by a number"])
                continue
            pid, camid = int(person), CAMERAS.index(camera or match[1])
            rows.append(
                {
                    "path": path,
                    "split": split,
                    "pid": pid,
                    "camid": camid,
                    "clothes_id": 2 * pid + (camid == 2),
                    "frame": int(match[2]),
                }
            )
    return survey.table("prcc", rows, PUBLISHED)
