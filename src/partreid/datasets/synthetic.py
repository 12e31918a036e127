"""The rendered data set (partreid.synthetic): train/, query/, gallery/ and truth.npz.

A name like `0065_c2s1_000007_00.jpg` is person, camera 1-6, outfit of that person, picture of that person, 00: the
pattern of Market-1501 with the outfit in the place of the sequence. Person numbers of train and test do not overlap.
Licence: the pictures are made by this package from CC0 body data and may be used freely.
"""

import re
from pathlib import Path

import numpy as np
import pyarrow as pa

from partreid.datasets import counts, images
from partreid.datasets.walk import Walk
from partreid.errors import UserError
from partreid.storage import chunks, image_table
from partreid.synthetic.plan import OCCLUDED_BELOW, clothes_id

FOLDERS = ("train", "query", "gallery")
# where tight boxes of the renderer have nose and lower ankle, in shares of their height (partreid.synthetic.picture)
NOSE, ANKLE = (0.06, 0.17), (0.85, 0.94)
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
    of the person shows (plan.OCCLUDED_BELOW), misaligned as the function below has it. Raises UserError when the set is
    unfinished or files and truth disagree.
    """
    file = root / "truth.npz"
    if not file.is_file():
        raise images.bad_layout(root, "this is no finished rendered data set: there is no truth.npz", TREE)
    truth = chunks.Reader(file)
    paths = truth.all("path").tolist()
    visible = dict(zip(paths, truth.all("visible").tolist(), strict=True))
    badly_boxed = dict(zip(paths, misaligned(truth.all("keypoints"), truth.header["height"]).tolist(), strict=True))
    rows: list[images.Row] = []
    walk = Walk(root)
    for split in FOLDERS:
        present = walk.files(split) if (root / split).is_dir() else []
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
                    "misaligned": badly_boxed[path],
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
    shares = {
        name: {
            split: float(np.mean([row[name] for row in rows if row["split"] == split] or [0.0])) for split in FOLDERS
        }
        for name in ("occluded", "misaligned")
    }
    about = {
        "dataset": "synthetic",
        "counts": counts.count(rows),
        **shares,
        "ignored": dict(walk.ignored),
        "parameters": truth.header,
    }
    return image_table.build(images.in_order(measured, FOLDERS), about)


def misaligned(keypoints: np.ndarray, height: int) -> np.ndarray:
    """Whether nose or lower ankle lie where no tight box has them: the box is shifted, loose or cuts the person.

    keypoints: float32 (N, 17, 3), truth.npz's, which go on outside the image. height: of the images. Returns bool (N,).
    """
    nose, ankle = keypoints[:, 0, 1] / height, keypoints[:, 15:17, 1].max(1) / height
    return (nose < NOSE[0]) | (nose > NOSE[1]) | (ankle < ANKLE[0]) | (ankle > ANKLE[1])
