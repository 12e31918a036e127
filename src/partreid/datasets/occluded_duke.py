"""Occluded-Duke (Miao et al., Pose-Guided Feature Alignment for Occluded Person Re-Identification, ICCV 2019).

**Withdrawn with its source**: see dukemtmc.py. This package neither ships the images nor fetches them.

A new division of DukeMTMC-reID's images, by three name lists (train.list, query.list, gallery.list) in the folder
dataset/Occluded_Duke of github.com/lightas/ICCV19_Pose_Guided_Occluded_Person_ReID. Read here are the folders into
which the lists divide the images, not the lists. Names as in DukeMTMC-reID. All queries are occluded, and about a
tenth of the gallery, but which images these are is not said. A person may have several queries by one camera.
"""

from pathlib import Path

import pyarrow as pa

from partreid.datasets import counts, dukemtmc
from partreid.datasets.survey import Survey

ARCHIVE = "Occluded_Duke"
TREE = """
Occluded_Duke/                 this folder, or the one that holds it
  bounding_box_train/          15,618 images like 0005_c2_f0046985.jpg
  query/                       2,210 images
  bounding_box_test/           17,661 images
"""

# counted on the three lists (md5 9bf6e14e5a703fcbd400c6892b079fb1, 7fb101aac28a784ce9fad417cad3a437,
# b3af9a358367572451fe95c2a8451e51)
PUBLISHED: counts.Counts = {
    "train images": 15618,
    "train persons": 702,
    "train images per camera": [1982, 3009, 1088, 1395, 1685, 3700, 1330, 1429],
    "query images": 2210,
    "query persons": 519,
    "query images per camera": [1137, 215, 97, 164, 92, 314, 80, 111],
    "gallery images": 17661,
    "gallery persons": 1110,
    "gallery images per camera": [2704, 2798, 828, 1139, 1209, 3308, 1255, 4420],
}


def read(root: Path) -> pa.Table:
    """Read the image table of the set at `root` (its own folder or the one that holds it).

    As dukemtmc.read; occluded is true for queries and null for all others.
    """
    survey = Survey(root, tuple(dukemtmc.FOLDERS.values()), ARCHIVE, TREE)
    rows = dukemtmc.rows(survey)
    for row in rows:
        row["occluded"] = True if row["split"] == "query" else None
    return survey.table("occluded_duke", rows, PUBLISHED)
