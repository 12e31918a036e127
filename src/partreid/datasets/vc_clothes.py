"""VC-Clothes (Wan et al., When Person Re-identification Meets Changing Clothes, CVPR Workshops 2020).

Rendered with a video game. Source: wanfb.github.io/dataset.html.

A name like `0001-02-03-04.jpg` is person, camera 1-4, outfit, running number. Cameras 2 and 3 see a person in the same
clothes, cameras 3 and 4 in others: the same-clothes and the cross-clothes protocol keep only these cameras in query and
gallery, the general one keeps all.
"""

import re
from pathlib import Path

import pyarrow as pa

from partreid.datasets import counts
from partreid.datasets.images import Row
from partreid.datasets.survey import Survey

ARCHIVE = "VC-Clothes"
FOLDERS = {"train": "train", "query": "query", "gallery": "gallery"}
NAME = re.compile(r"(\d+)-(0*[1-4])-(\d{1,3})-(\d+)\.jpg", re.ASCII)
EXAMPLE = "0001-02-03-04.jpg"
OUTFITS = 1000  # outfits have numbers below this
TREE = """
VC-Clothes/                    this folder, or the one that holds it
  train/                       9,449 images like 0001-02-03-04.jpg
  query/                       1,020 images
  gallery/                     8,591 images
"""

# The paper: 19,060 images of 512 persons, half of them for training. The images add up.
PUBLISHED: counts.Counts = {
    "train images": 9449,
    "train persons": 256,
    "query images": 1020,
    "gallery images": 8591,
    "gallery persons": 256,
}


def read(root: Path) -> pa.Table:
    """Read the image table of the set at `root` (its own folder or the one that holds it).

    Rows: train, query, gallery, each in byte order of the names. camid is the name's camera minus 1, frame its running
    number, clothes_id 1,000 times the pid plus the outfit. Raises UserError when one of the three folders is missing or
    all are empty; a copy that lacks images only gets warnings.
    """
    survey = Survey(root, tuple(FOLDERS.values()), ARCHIVE, TREE)
    rows: list[Row] = [
        {
            "path": path,
            "split": split,
            "pid": int(match[1]),
            "camid": int(match[2]) - 1,
            "clothes_id": OUTFITS * int(match[1]) + int(match[3]),
            "frame": int(match[4]),
        }
        for split, folder in FOLDERS.items()
        for path, match in survey.named(folder, NAME, EXAMPLE)
    ]
    return survey.table("vc_clothes", rows, PUBLISHED)
