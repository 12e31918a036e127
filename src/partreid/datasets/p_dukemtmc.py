"""P-DukeMTMC-reID (Zhuo et al., Occluded Person Re-identification, ICME 2018).

**Withdrawn with its source**: see dukemtmc.py. This package neither ships the images nor fetches them.

DukeMTMC-reID's persons of whom there are both occluded and whole images; names as there. Train: both kinds. Query: the
occluded images of the test. Gallery: its whole ones.

Camera: as in all loaders, the real camera (it stays in the name) is not used; occluded images have camera 0 and whole
ones camera 1. So the Market rule removes nothing, and a whole image by the query's own camera is a right answer: with
the real cameras the numbers would be others than the published ones.
"""

from pathlib import Path

import pyarrow as pa

from partreid.datasets import counts
from partreid.datasets.dukemtmc import EXAMPLE, NAME
from partreid.datasets.images import Row
from partreid.datasets.survey import Survey

ARCHIVE = "P-DukeMTMC-reid"
OCCLUDED, WHOLE = 0, 1  # camid
FOLDERS = {  # folder -> split, camid
    "train/occluded_body_images": ("train", OCCLUDED),
    "train/whole_body_images": ("train", WHOLE),
    "test/occluded_body_images": ("query", OCCLUDED),
    "test/whole_body_images": ("gallery", WHOLE),
}
TREE = """
P-DukeMTMC-reid/               this folder, or the one that holds it
  train/
    occluded_body_images/      a folder per person with images like 0005_c2_f0046985.jpg
    whole_body_images/         the same; 12,927 images with the former
  test/
    occluded_body_images/      the same, 2,163 images
    whole_body_images/         the same, 9,053 images
"""

# The split sizes as remembered from papers, not seen at the authors. They add up to the 24,143 images of 1,299 persons
# that are stated for the set.
PUBLISHED: counts.Counts = {
    "train images": 12927,
    "train persons": 665,
    "query images": 2163,
    "query persons": 634,
    "gallery images": 9053,
    "gallery persons": 634,
}
UNSURE = "only P-DukeMTMC-reID's totals (24,143 images, 1,299 persons) are certain; its split sizes are from memory"


def read(root: Path) -> pa.Table:
    """Read the image table of the set at `root` (its own folder or the one that holds it).

    Rows: train, query, gallery, each in byte order of the paths. pid and frame as in the name, camid 0 for occluded
    and 1 for whole images (see above), and occluded accordingly. Raises UserError when one of the four folders is
    missing or all are empty; a copy that lacks images only gets warnings.
    """
    survey = Survey(root, tuple(FOLDERS), ARCHIVE, TREE)
    rows: list[Row] = [
        {
            "path": path,
            "split": split,
            "pid": int(match[1]),
            "camid": camid,
            "frame": int(match[3]),
            "occluded": camid == OCCLUDED,
        }
        for folder, (split, camid) in FOLDERS.items()
        for path, match in survey.by_person(folder, NAME, EXAMPLE)
    ]
    return survey.table("p_dukemtmc", rows, PUBLISHED, UNSURE)
