"""The label of a tool beside that of the truth, both made in memory."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from partreid.inspection.images import Images
from partreid.inspection.sides import Side, open_side
from partreid.labels import LABELS, native
from partreid.labels.cache import Cache
from partreid.labels.pictures import VIEWS
from partreid.params import Label
from partreid.quality import MEASURES

TRUTH = "truth"


def open_pairs(tool: str, images: Images, labels: Mapping[str, Label]) -> dict[str, tuple[Side, Side]]:
    """Label -> the tool's and the truth's, in the order of MEASURES, for those that the tool can feed.

    labels: the blocks of params.yaml, whose options both sides take. A member that a label takes from another tool
    (partreid.labels.base.Label.beside) is each side's own where it has it.
    """
    ours, true = (native.output(side, images.name, images.file) for side in (tool, TRUTH))
    gives = ours.header["gives"]
    pairs = {}
    if "keypoints" in gives:
        pairs["keypoints"] = _keypoints(tool, ours), _keypoints(TRUTH, true)
    for name in MEASURES:
        if name in labels and LABELS[name].fed_by(gives):
            block = labels[name]
            pairs[name] = _label(tool, ours, name, images, block), _label(TRUTH, true, name, images, block)
    return pairs


def _label(side: str, cache: Cache, name: str, images: Images, block: Label) -> Side:
    own = {member: side for member in LABELS[name].beside if member in cache.header["gives"]}
    options: dict[str, Any] = {**block.options, **own}
    return open_side(side, name, VIEWS[name].members, images, options)


def _keypoints(side: str, cache: Cache) -> Side:
    def rows(ids: np.ndarray) -> dict[str, np.ndarray]:
        return {name: cache.rows(name, ids) for name in ("status", "keypoints")}

    return Side(side, cache.header, cache.status, rows, cache)
