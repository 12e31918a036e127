"""CUHK01 (Li et al., Human Reidentification with Transferred Metric Learning, ACCV 2012).

Archive CUHK01.zip, md5 e6d55c0da26d80cda210a2edeb448e98. Research only.

A name like `0001001.png` is person 0001-0971 and image 001-004: 1 and 2 by camera A, 3 and 4 by camera B. Camera A
asks, camera B is the gallery. (Some average in the reverse direction too.)

Two protocols, both averaged over ten random splits of the persons: 486 test persons (485 train), and 100 (871 train).
The authors give no splits, so every toolbox has its own. Here, in split s = 0..9, the test persons are those with the
smallest SHA-1 of the text `s:0001` (split, person): the same on every machine, and the 100 are among the 486. The
table's `about` names them. CUHK01 and CUHK02 share persons.
"""

import hashlib
import re
from pathlib import Path

import pyarrow as pa

from partreid.datasets import counts, notes
from partreid.datasets.images import Row
from partreid.datasets.survey import Survey
from partreid.errors import UserError

ARCHIVE = "CUHK01"
FOLDER = "campus"
PERSONS = 971
SPLITS = 10
NAME = re.compile(r"(\d{4})(00[1-4])\.png", re.ASCII)
EXAMPLE = "0001001.png"
TREE = """
CUHK01/                        this folder, or the one that holds it
  campus/                      3,884 images like 0001001.png
"""


def read_486(root: Path, split: int = 0) -> pa.Table:
    """Read the image table of the set at `root` (its own folder or the one that holds it), 486 persons in the test.

    split: which of the ten random splits, 0..9; `about` keeps it, with `test_persons`, the pids. Rows: train, query,
    gallery, each in byte order of the names. camid is 0 for A and 1 for B. Raises UserError for another split and when
    the folder is missing or empty; a copy that lacks images only gets warnings.
    """
    return _read(root, 486, split)


def read_100(root: Path, split: int = 0) -> pa.Table:
    """As `read_486`, with 100 persons in the test."""
    return _read(root, 100, split)


def test_persons(number: int, split: int) -> list[int]:
    """The `number` persons (1..971, sorted) who are tested in split 0..9. UserError for another split."""
    if split not in range(SPLITS):
        raise UserError(f"CUHK01 has {SPLITS} splits, 0 to {SPLITS - 1}; there is no split {split}")
    ranked = sorted(range(1, PERSONS + 1), key=lambda pid: hashlib.sha1(f"{split}:{pid:04d}".encode()).digest())
    return sorted(ranked[:number])


def published(number: int) -> counts.Counts:
    """Counts of every split with `number` persons in the test: four images of each person, two by each camera."""
    train = PERSONS - number
    return {
        "train images": 4 * train,
        "train persons": train,
        "train images per camera": [2 * train, 2 * train],
        "query images": 2 * number,
        "query persons": number,
        "query images per camera": [2 * number],
        "gallery images": 2 * number,
        "gallery persons": number,
        "gallery images per camera": [0, 2 * number],
    }


def _read(root: Path, number: int, split: int) -> pa.Table:
    tested = test_persons(number, split)
    survey = Survey(root, (FOLDER,), ARCHIVE, TREE)
    rows: list[Row] = []
    for path, match in survey.named(FOLDER, NAME, EXAMPLE):
        pid, camid = int(match[1]), (int(match[2]) - 1) // 2
        if not 1 <= pid <= PERSONS:
            survey.skipped.append([path, f"CUHK01 has the persons 0001 to {PERSONS:04d}"])
            continue
        part = ("query", "gallery")[camid] if pid in tested else "train"
        rows.append({"path": path, "split": part, "pid": pid, "camid": camid})
    table = survey.table(f"cuhk01_{number}", rows, published(number))
    return notes.add(table, split=split, test_persons=tested)
