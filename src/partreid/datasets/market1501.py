"""Market-1501 (Zheng et al., Scalable Person Re-identification: A Benchmark, ICCV 2015).

Project page: zheng-lab-anu.github.io; archive Market-1501-v15.09.15.zip, 152,733,771 bytes,
sha256 416bb77b5a2449b32e936f623cbee58becf1a9e7e936f36380cb8f9ab928fe96. Research only, no distribution.

A name like `0002_c1s1_000451_03.jpg` is person, camera 1-6, sequence, frame, box number (00 = drawn by hand). Person
0000 is a distractor (ranked, always wrong), -1 is junk (never ranked). Some files really end in `.jpg.jpg`, and every
folder holds a `Thumbs.db`. Hand-drawn boxes and the 500,000 distractors: see market1501_extra.py.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

from partreid.datasets import counts
from partreid.datasets.images import Row
from partreid.datasets.survey import Survey

ARCHIVE = "Market-1501-v15.09.15"  # the folder that the archive unpacks to
FOLDERS = {"train": "bounding_box_train", "query": "query", "gallery": "bounding_box_test"}
NAME = re.compile(r"(-1|\d{4})_c([1-6])s(\d)_(\d{6})_(\d{2})\.jpg(\.jpg)?", re.ASCII)
EXAMPLE = "0002_c1s1_000451_03.jpg"
TREE = """
Market-1501-v15.09.15/         this folder, or the one that holds it
  bounding_box_train/          12,936 images like 0002_c1s1_000451_03.jpg
  query/                       3,368 images
  bounding_box_test/           19,732 images
"""

# counted on the archive with the checksum above; the project page says 2,793 distractors
PUBLISHED: counts.Counts = {
    "train images": 12936,
    "train persons": 751,
    "train images per camera": [2017, 1709, 2707, 920, 2338, 3245],
    "query images": 3368,
    "query persons": 750,
    "query images per camera": [668, 530, 717, 248, 622, 583],
    "gallery images": 19732,
    "gallery persons": 750,
    "gallery images per camera": [3156, 2944, 3803, 1671, 3814, 4344],
    "gallery distractors": 2798,
    "gallery junk": 3819,
}


def read(root: Path) -> pa.Table:
    """Read the image table of the set at `root` (its own folder or the one that holds it).

    Rows: train, query, gallery, each in byte order of the names, which is the order that gt_query's indices refer to.
    camid is the name's camera minus 1, frame the name's frame number (it counts within a sequence of a camera).
    Raises UserError when one of the three folders is missing or all are empty; a copy that lacks images only gets
    warnings.
    """
    survey = Survey(root, tuple(FOLDERS.values()), ARCHIVE, TREE)
    return survey.table("market1501", rows(survey, FOLDERS), PUBLISHED)


def rows(survey: Survey, folders: Mapping[str, str]) -> list[Row]:
    """Rows of the images in `folders` (split -> folder)."""
    return [
        {"path": path, "split": split, "pid": int(match[1]), "camid": int(match[2]) - 1, "frame": int(match[4])}
        for split, folder in folders.items()
        for path, match in survey.named(folder, NAME, EXAMPLE)
    ]
