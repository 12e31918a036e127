"""Market-1501 with what comes beside its three folders: hand-drawn boxes, or 500,000 more distractors.

`market1501_multi_query` adds gt_bbox/ as the split multi_query: hand-drawn boxes of all 1,501 persons. In the
multi-query protocol every query stands for all boxes of its person by its camera (the 3,368 queries are among them);
the boxes of the training persons are never asked for.

`market1501_500k` adds images/, to which distractors_500k.zip (about 1.06 GB, from the same project page) unpacks, to
the gallery. Their names begin like the others' (`0000_c1...`), with person 0000 or -1; what follows the camera is not
read, so their frame is null. Source, names and terms: see market1501.py.
"""

import re
from pathlib import Path

import pyarrow as pa

from partreid.datasets import counts, market1501
from partreid.datasets.market1501 import ARCHIVE, FOLDERS, PUBLISHED
from partreid.datasets.survey import Survey

BOXES = "gt_bbox"
DISTRACTORS = "images"
DISTRACTOR_NAME = re.compile(r"(-1|0000)_c([1-6]).*\.jpg", re.ASCII)
MULTI_QUERY_TREE = f"""{market1501.TREE}  gt_bbox/                     25,259 images
"""
TREE_500K = f"""{market1501.TREE}  images/                      500,000 0000_c1... of distractors_500k.zip
"""

# counted on the archive of market1501.py
MULTI_QUERY_PUBLISHED: counts.Counts = {
    **PUBLISHED,
    "multi_query images": 25259,
    "multi_query persons": 1501,
    "multi_query images per camera": [4071, 3191, 5520, 1772, 4596, 6109],
}

# the gallery as in Suh et al., Part-Aligned Bilinear Representations (ECCV 2018), section 6.4; how many of the added
# images are junk, and their cameras, is not published
PUBLISHED_500K: counts.Counts = {
    **{name: number for name, number in PUBLISHED.items() if not name.startswith("gallery")},
    "gallery images": 519732,
    "gallery persons": 750,
}


def read_multi_query(root: Path) -> pa.Table:
    """As market1501.read, and every image of gt_bbox/ as split multi_query."""
    folders = {**FOLDERS, "multi_query": BOXES}
    survey = Survey(root, tuple(folders.values()), ARCHIVE, MULTI_QUERY_TREE)
    return survey.table("market1501_multi_query", market1501.rows(survey, folders), MULTI_QUERY_PUBLISHED)


def read_500k(root: Path) -> pa.Table:
    """As market1501.read, and every image of images/ in the gallery, after those of bounding_box_test/."""
    survey = Survey(root, (*FOLDERS.values(), DISTRACTORS), ARCHIVE, TREE_500K)
    rows = market1501.rows(survey, FOLDERS)
    for path, match in survey.named(DISTRACTORS, DISTRACTOR_NAME, "0000_c1... or -1_c1...: a distractor"):
        rows.append({"path": path, "split": "gallery", "pid": int(match[1]), "camid": int(match[2]) - 1})
    return survey.table("market1501_500k", rows, PUBLISHED_500K)
