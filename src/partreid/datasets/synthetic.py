"""The rendered data set (partreid.synthetic): train/, query/, gallery/ and truth.npz.

A name like `0065_c2s1_000007_00.jpg` is person, camera 1-6, outfit of that person, picture of that person, 00: the
pattern of Market-1501 with the outfit in the place of the sequence. Person numbers of train and test do not overlap.
Licence: the pictures are made by this package from CC0 body data and may be used freely.
"""

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa

from partreid import chunks, records
from partreid.datasets import counts, images
from partreid.errors import UserError
from partreid.synthetic.plan import OCCLUDED_BELOW, clothes_id

FOLDERS = ("train", "query", "gallery")
NAME = re.compile(r"(\d{4,})_c(\d)s(\d)_(\d{6})_00\.jpg", re.ASCII)
TREE = """
synthetic/
  train/       images like 0001_c2s1_000007_00.jpg
  query/
  gallery/
  truth.npz    what the renderer knows
"""


def read(root: Path) -> pa.Table:
    """Read the image table of a rendered set: train, query, gallery, each in byte order of the names.

    pid and frame as in the name, camid = camera - 1, clothes_id = 10 pid + outfit - 1, occluded where less than 0.7
    of the person shows (plan.OCCLUDED_BELOW). Raises UserError when the set is unfinished or files and truth disagree.
    """
    file = root / "truth.npz"
    if not file.is_file():
        raise images.bad_layout(root, "this is no finished rendered data set: there is no truth.npz", TREE)
    truth = chunks.Reader(file)
    visible = dict(zip(truth.all("path").tolist(), truth.all("visible").tolist(), strict=True))
    rows: list[images.Row] = []
    ignored: Counter[str] = Counter()
    for split in FOLDERS:
        present = images.list_files(root, split, ignored) if (root / split).is_dir() else []
        for path in present:
            match = NAME.fullmatch(Path(path).name)
            if match is None or path not in visible:
                raise UserError(f"{root / path} is not in {file}; delete {root} and run `dvc repro` to render it again")
            pid, camera, outfit, frame = (int(value) for value in match.groups())
            rows.append(
                {
                    "path": path,
                    "split": split,
                    "pid": pid,
                    "camid": camera - 1,
                    "clothes_id": clothes_id(pid, outfit - 1),
                    "frame": frame,
                    "occluded": visible[path] < OCCLUDED_BELOW,
                }
            )
    if absent := sorted(set(visible) - {row["path"] for row in rows}):
        raise UserError(
            f"{len(absent)} images of {file} are missing, the first is {absent[0]}; delete {root} and run `dvc repro`"
        )
    measured, skipped = images.measure(root, rows)
    if skipped:
        raise UserError(
            f"{root / skipped[0][0]}: {skipped[0][1]}; delete {root} and run `dvc repro` to render it again"
        )
    occluded = {
        split: float(np.mean([row["occluded"] for row in rows if row["split"] == split] or [0.0])) for split in FOLDERS
    }
    about = {
        "dataset": "synthetic",
        "counts": counts.count(rows),
        "occluded": occluded,
        "ignored": dict(ignored),
        "parameters": truth.header,
    }
    return records.build(images.in_order(measured, FOLDERS), about)
