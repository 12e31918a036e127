"""Celeb-reID and Celeb-reID-light (Huang et al., Celebrities-ReID, IJCNN 2019; Beyond Scalar Neuron, TCSVT 2020).

Source: github.com/Huang-3/Celeb-reID. Research only, no distribution.

A name like `12_3_0.jpg` is person, which image of that person it is, and a number without meaning. There are **neither
cameras nor clothes** in the names: camid and clothes_id are null, so the Market rule removes nothing. (A loader that
takes the second number for a camera removes images at random.) The images of a person mostly show different outfits;
in the light set all are said to.
"""

import re
from pathlib import Path

import pyarrow as pa

from partreid.datasets import counts
from partreid.datasets.images import Row
from partreid.datasets.survey import Survey

FOLDERS = {"train": "train", "query": "query", "gallery": "gallery"}
NAME = re.compile(r"(\d+)_(\d+)_(\d+)\.jpg", re.ASCII)
EXAMPLE = "12_3_0.jpg"
TREE = """
{archive}/               this folder, or the one that holds it
  train/                  {train:,} images like 12_3_0.jpg
  query/                  {query:,} images
  gallery/                {gallery:,} images
"""

# of the repository's page
PUBLISHED: counts.Counts = {
    "train images": 20208,
    "train persons": 632,
    "query images": 2972,
    "query persons": 420,
    "gallery images": 11006,
    "gallery persons": 420,
}
PUBLISHED_LIGHT: counts.Counts = {
    "train images": 9021,
    "train persons": 490,
    "query images": 887,
    "query persons": 100,
    "gallery images": 934,
    "gallery persons": 100,
}


def read(root: Path) -> pa.Table:
    """Read the image table of Celeb-reID at `root` (its own folder or the one that holds it).

    Rows: train, query, gallery, each in byte order of the names; only the pid is known. Raises UserError when one of
    the three folders is missing or all are empty; a copy that lacks images only gets warnings.
    """
    return _read(root, "celeb_reid", "Celeb-reID", PUBLISHED)


def read_light(root: Path) -> pa.Table:
    """As `read`, of Celeb-reID-light."""
    return _read(root, "celeb_reid_light", "Celeb-reID-light", PUBLISHED_LIGHT)


def _read(root: Path, dataset: str, archive: str, published: counts.Counts) -> pa.Table:
    sizes = {split: published[f"{split} images"] for split in FOLDERS}
    survey = Survey(root, tuple(FOLDERS.values()), archive, TREE.format(archive=archive, **sizes))
    rows: list[Row] = [
        {"path": path, "split": split, "pid": int(match[1])}
        for split, folder in FOLDERS.items()
        for path, match in survey.named(folder, NAME, EXAMPLE)
    ]
    return survey.table(dataset, rows, published)
