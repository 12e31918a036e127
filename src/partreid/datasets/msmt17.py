"""MSMT17 (Wei et al., Person Transfer GAN to Bridge Domain Gap for Person Re-Identification, CVPR 2018).

Given out by Peking University on a release agreement. Two versions, which are two data sets here because their numbers
do not compare: V1, and V2, in which faces are masked. The tree differs, the lists do not.

Four lists say which image is whose: `0000/0000_000_01_0303morning_0008_0.jpg 0` is a path in the train or test folder
and a person. The name is person, running number, camera 1-15, day and time of day, frame, box. Images that no list
names are not read. There are neither junk images nor distractors.

The lists count persons from 0 in train and in test anew: 0 is two people. Here a test person's number is the list's
plus 1,041, the number of training persons; pid 0 is a training person. list_val is the split val, which does not
train: some toolboxes train on it too (32,621 images), which is worth knowing when numbers are compared.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from partreid.datasets import counts, images
from partreid.datasets.images import Row
from partreid.datasets.survey import Survey

FOLDERS = {"msmt17_v1": ("train", "test"), "msmt17_v2": ("mask_train_v2", "mask_test_v2")}
ARCHIVE = {"msmt17_v1": "MSMT17_V1", "msmt17_v2": "MSMT17_V2"}
LISTS = {"train": "list_train.txt", "val": "list_val.txt", "query": "list_query.txt", "gallery": "list_gallery.txt"}
TRAIN_PERSONS = 1041
EXAMPLE = "0000/0000_000_01_0303morning_0008_0.jpg 0"
LINE = re.compile(
    r"(\d{4}/\d{4}_\d{3}_(0[1-9]|1[0-5])_\d{4}(?:morning|noon|afternoon)_(\d{4})_\d+(?:_ex)?\.jpg) (\d{1,4})", re.ASCII
)
TREE = """
{archive:<31}this folder, or the one that holds it
  {train:<29}folders 0000/, 0001/, ... of images like 0000_000_01_0303morning_0008_0.jpg
  {test:<29}the same
  list_train.txt               30,248 lines like 0000/0000_000_01_0303morning_0008_0.jpg 0
  list_val.txt                 2,373 lines
  list_query.txt               11,659 lines
  list_gallery.txt             82,161 lines
"""

# Wei et al. as quoted by Ding et al. (MPN): train and val together 32,621 images of 1,041 persons, test
# 93,820 of 3,060; the division of the former as public loaders state it, it adds up
PUBLISHED: counts.Counts = {
    "train images": 30248,
    "val images": 2373,
    "query images": 11659,
    "gallery images": 82161,
    "gallery persons": 3060,
}


def read_v1(root: Path) -> pa.Table:
    """Read the image table of MSMT17_V1 at `root` (its own folder or the one that holds it).

    Rows: train, val, query, gallery, each in byte order of the paths. pid: see above. camid is the name's camera
    minus 1, frame the name's frame number (it counts within a video of a camera). Raises UserError when a folder or a
    list is missing or all lists are empty; a copy that lacks images only gets warnings.
    """
    return _read(root, "msmt17_v1")


def read_v2(root: Path) -> pa.Table:
    """As `read_v1`, of MSMT17_V2."""
    return _read(root, "msmt17_v2")


def _read(root: Path, dataset: str) -> pa.Table:
    train, test = FOLDERS[dataset]
    archive = ARCHIVE[dataset]
    tree = TREE.format(archive=f"{archive}/", train=f"{train}/", test=f"{test}/")
    survey = Survey(root, (train, test), archive, tree)
    home = root / survey.prefix
    absent = [name for name in LISTS.values() if not (home / name).is_file()]
    if absent:
        raise images.bad_layout(home, f"incomplete: {home} lacks {', '.join(absent)}", tree)
    rows: list[Row] = []
    for split in ("train", "val"):
        rows += _listed(survey, split, train, 0)
    for split in ("query", "gallery"):
        rows += _listed(survey, split, test, TRAIN_PERSONS)
    return survey.table(dataset, rows, PUBLISHED)


def _listed(survey: Survey, split: str, folder: str, offset: int) -> Iterator[Row]:
    """Rows of a split's list; the images lie in `folder`, and `offset` is added to the persons."""
    name = survey.prefix + LISTS[split]
    lines = (survey.root / name).read_text(encoding="utf-8-sig", errors="replace").splitlines()
    for number, line in enumerate(lines, start=1):
        match = LINE.fullmatch(line.strip())
        if match is None or (offset == 0 and int(match[4]) >= TRAIN_PERSONS):
            if line.strip():
                survey.skipped.append([f"{name} line {number}", f"not like {EXAMPLE}: {line.strip()[:80]}"])
            continue
        yield {
            "path": f"{survey.prefix}{folder}/{match[1]}",
            "split": split,
            "pid": int(match[4]) + offset,
            "camid": int(match[2]) - 1,
            "frame": int(match[3]),
        }
