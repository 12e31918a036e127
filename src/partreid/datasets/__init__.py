"""Readers: one per benchmark, a function root folder -> image table (partreid.storage.image_table)."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from partreid.datasets import (
    celeb_reid,
    cuhk01,
    cuhk03,
    dukemtmc,
    folder,
    ltcc,
    market1501,
    market1501_extra,
    mars,
    msmt17,
    occluded_duke,
    occluded_reid,
    p_dukemtmc,
    prcc,
    synthetic,
    vc_clothes,
)

READERS: dict[str, Callable[[Path], pa.Table]] = {
    "celeb_reid": celeb_reid.read,
    "celeb_reid_light": celeb_reid.read_light,
    "cuhk03_detected": cuhk03.read_detected,
    "cuhk03_labeled": cuhk03.read_labeled,
    "dukemtmc": dukemtmc.read,
    "folder": folder.read,
    "ltcc": ltcc.read,
    "market1501": market1501.read,
    "market1501_500k": market1501_extra.read_500k,
    "market1501_multi_query": market1501_extra.read_multi_query,
    "mars": mars.read,
    "msmt17_v1": msmt17.read_v1,
    "msmt17_v2": msmt17.read_v2,
    "occluded_duke": occluded_duke.read,
    "occluded_reid": occluded_reid.read,
    "p_dukemtmc": p_dukemtmc.read,
    "prcc": prcc.read,
    "synthetic": synthetic.read,
    "synthetic_large": synthetic.read,
    "vc_clothes": vc_clothes.read,
}

# Benchmarks with several stored random splits: root folder, number of the split -> image table.
SPLIT_READERS: dict[str, Callable[[Path, int], pa.Table]] = {
    "cuhk01_100": cuhk01.read_100,
    "cuhk01_486": cuhk01.read_486,
    "cuhk03_classic_detected": cuhk03.read_classic_detected,
    "cuhk03_classic_labeled": cuhk03.read_classic_labeled,
}


SPLITS = {"cuhk01_100": 10, "cuhk01_486": 10, "cuhk03_classic_detected": 20, "cuhk03_classic_labeled": 20}
"""How many random splits of the persons there are, over which papers average."""

DATASETS = dict.fromkeys(sorted((*READERS, *SPLIT_READERS)))


def read(dataset: str, root: Path, split: int) -> pa.Table:
    """The image table of one of DATASETS. `split` matters only to those of SPLIT_READERS."""
    return SPLIT_READERS[dataset](root, split) if dataset in SPLIT_READERS else READERS[dataset](root)
