"""Occluded-REID (Zhuo et al., Occluded Person Re-identification, ICME 2018).

Source: Occluded_REID.zip of github.com/tinajia2012/ICME2018_Occluded-Person-Reidentification_datasets, 41.9 MB,
sha256 1c8854e02db775da6a51399df4b7e02c299804850dff9985451d610fc8c6d57d. Academic or educational use, not commercial.

A name like `001_02.tif` is person, image 01-05. All 200 persons are for the test, as in most papers since: occluded
images ask, whole ones are the gallery, and the model is trained on another set (Market-1501). The set's own paper
trains on a random half of the persons instead; its numbers do not compare.
"""

import re
from pathlib import Path

import pyarrow as pa

from partreid.datasets import counts
from partreid.datasets.images import Row
from partreid.datasets.survey import Survey

ARCHIVE = "Occluded_REID"
FOLDERS = {"query": "occluded_body_images", "gallery": "whole_body_images"}
CAMERA = {"query": 0, "gallery": 1}  # the set names no cameras; two, so that the Market rule removes nothing
NAME = re.compile(r"(\d{3})_(\d{2})\.tif", re.ASCII)
TREE = """
Occluded_REID/                 this folder, or the one that holds it
  occluded_body_images/        200 folders 001/, 002/, ... of 5 images like 001_02.tif
  whole_body_images/           the same
"""

# of the repository's page
PUBLISHED: counts.Counts = {
    "query images": 1000,
    "query persons": 200,
    "gallery images": 1000,
    "gallery persons": 200,
}


def read(root: Path) -> pa.Table:
    """Read the image table of the set at `root` (its own folder or the one that holds it).

    Rows: query, gallery, each in byte order of the paths; there is no train. pid as in the name, camid 0 for queries
    and 1 for the gallery, occluded accordingly. Raises UserError when one of the two folders is missing or both are
    empty; a copy that lacks images only gets warnings.
    """
    survey = Survey(root, tuple(FOLDERS.values()), ARCHIVE, TREE)
    rows: list[Row] = [
        {
            "path": path,
            "split": split,
            "pid": int(match[1]),
            "camid": CAMERA[split],
            "occluded": split == "query",
        }
        for split, folder in FOLDERS.items()
        for path, match in survey.by_person(folder, NAME, "001_02.tif")
    ]
    return survey.table("occluded_reid", rows, PUBLISHED)
