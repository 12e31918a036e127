"""LTCC (Qian et al., Long-Term Cloth-Changing Person Re-identification, ACCV 2020).

Source: naiq.github.io/LTCC_Perosn_ReID.html, on request with a signed agreement. Research only.

A name like `144_1_c11_011239.png` is person, outfit of that person, camera 1-12, running number. The lists in info/ say
who changes clothes and who does not, one person a line. They matter to those who cut query and gallery to the persons
who change: a smaller gallery and higher numbers than on the whole test set.
"""

import re
from pathlib import Path

import pyarrow as pa

from partreid.datasets import counts, images, notes
from partreid.datasets.images import Row
from partreid.datasets.survey import Survey
from partreid.errors import UserError

ARCHIVE = "LTCC_ReID"
FOLDERS = {"train": "train", "query": "query", "gallery": "test"}
LISTS = {"cloth_change": "info/cloth-change_id_{part}.txt", "cloth_unchange": "info/cloth-unchange_id_{part}.txt"}
NAME = re.compile(r"(\d+)_(\d{1,3})_c(0?[1-9]|1[0-2])_(\d+)\.png", re.ASCII)
EXAMPLE = "144_1_c11_011239.png"
OUTFITS = 1000  # a person's outfits have numbers below this
TREE = """
LTCC_ReID/                     this folder, or the one that holds it
  train/                       9,576 images like 144_1_c11_011239.png
  query/                       493 images
  test/                        7,050 images, the gallery
  info/                        cloth-change_id_train.txt, cloth-unchange_id_train.txt and the same for test
"""

# The project page: 17,119 images of 152 persons. The images add up. Every query's person is in the gallery.
PUBLISHED: counts.Counts = {
    "train images": 9576,
    "train persons": 77,
    "query images": 493,
    "gallery images": 7050,
    "gallery persons": 75,
}


def read(root: Path) -> pa.Table:
    """Read the image table of the set at `root` (its own folder or the one that holds it).

    Rows: train, query, gallery, each in byte order of the names. camid is the name's camera minus 1, frame its running
    number, clothes_id 1,000 times the pid plus the outfit. The table's `about` holds the lists of info/ as
    `cloth_change` and `cloth_unchange`, each {"train": pids, "test": pids}. Raises UserError when a folder or a list is
    missing, a list holds something else than numbers, or all folders are empty; a copy that lacks images only gets
    warnings.
    """
    survey = Survey(root, (*FOLDERS.values(), "info"), ARCHIVE, TREE)
    home = root / survey.prefix
    lists = {
        name: {part: _persons(home, file.format(part=part)) for part in ("train", "test")}
        for name, file in LISTS.items()
    }
    rows: list[Row] = [
        {
            "path": path,
            "split": split,
            "pid": int(match[1]),
            "camid": int(match[3]) - 1,
            "clothes_id": OUTFITS * int(match[1]) + int(match[2]),
            "frame": int(match[4]),
        }
        for split, folder in FOLDERS.items()
        for path, match in survey.named(folder, NAME, EXAMPLE)
    ]
    return notes.add(survey.table("ltcc", rows, PUBLISHED), **lists)


def _persons(home: Path, name: str) -> list[int]:
    """The persons that a list names, in its order."""
    if not (home / name).is_file():
        raise images.bad_layout(home, f"incomplete: {home} lacks {name}", TREE)
    words = (home / name).read_text(encoding="utf-8-sig", errors="replace").split()
    if odd := [word for word in words if not re.fullmatch(r"\d+", word, re.ASCII)]:
        raise UserError(f"{home / name} holds {odd[0]!r}, expected one person's number a line; fetch it again")
    return [int(word) for word in words]
