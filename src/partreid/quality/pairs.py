"""The label of a tool beside that of the truth, both made in memory."""

from collections.abc import Mapping

import numpy as np

from partreid.drawing.label_views import VIEWS
from partreid.labels import LABELS, native
from partreid.params import Label
from partreid.quality import MEASURES
from partreid.quality.images import Images
from partreid.quality.side import Side, open_side
from partreid.storage.cache import Cache

TRUTH = "truth"
JOINTS = ("keypoints", "visible", "exchanged")  # measures of what a tool itself says of the joints


def open_pairs(tool: str, images: Images, labels: Mapping[str, Label]) -> dict[str, tuple[Side, Side]]:
    """Label -> the tool's and the truth's, in the order of MEASURES, for those that the tool can feed without another.

    labels: the blocks of params.yaml, whose options both sides take; what names a second tool there plays no part.
    """
    ours, true = (native.output(side, images.name, images.file) for side in (tool, TRUTH))
    gives = ours.header["gives"]
    pairs = {}
    if "keypoints" in gives:
        min_score = labels["poses"].options["min_score"]
        joints = _joints(tool, ours, min_score), _joints(TRUTH, true, min_score)
        pairs.update(dict.fromkeys(JOINTS, joints))
    for name in MEASURES:
        if name in labels and LABELS[name].fed_alone_by(gives):
            members, options = VIEWS[name].members, labels[name].options
            a, b = (open_side(side, name, members, images, options) for side in (tool, TRUTH))
            pairs[name] = a, b
    return pairs


def _joints(side: str, cache: Cache, min_score: float) -> Side:
    def rows(ids: np.ndarray) -> dict[str, np.ndarray]:
        found = {name: cache.rows(name, ids) for name in ("status", "keypoints")}
        return {**found, "seen": found["keypoints"][..., 2] >= min_score}

    return Side(side, cache.header, cache.status, rows, cache)
