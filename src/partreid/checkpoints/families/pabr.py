"""Part-Aligned Bilinear of its authors: https://github.com/yuminsuh/part_bilinear_reid.

The published part network takes 0.0039 times the appearance network's input (`openpose_pabr`). Its pooling stores the
places and signs of the tensor sketch as dense matrices, channels x outputs, of one entry in a row.
"""

from typing import Any

from partreid.checkpoints.contents import Tensors
from partreid.checkpoints.families.base import Described, Family
from partreid.checkpoints.tables import Table, read, shape
from partreid.errors import UserError

SKETCHES = {"pooling.cbp.sparse_sketch_matrix1": "appearance", "pooling.cbp.sparse_sketch_matrix2": "part"}
TABLE: Table = (
    ("app_feat_extractor.input_feat.*", "appearance.0.*"),
    ("app_feat_extractor.bn.*", "appearance.1.*"),
    ("app_feat_extractor.conv#__*", "backbone.conv#/*"),
    ("app_feat_extractor.inception_*._*", "backbone.inception_*/*"),
    ("app_feat_extractor.inception_*.pool_proj.*", "backbone.inception_*/pool_proj.*"),
    ("part_feat_extractor.pose1.*", "part.0.*"),
    ("part_feat_extractor.bn.*", "part.1.*"),
    ("part_feat_extractor.*", "part_network.network.*"),
    ("pooling.cbp.*", "pooling.*"),
)
MAPS = {185: ["limb", "joint", "inner"], 57: ["limb", "joint"], 128: ["inner"], 38: ["limb"], 19: ["joint"]}


def split(given: Tensors) -> Tensors:
    """Each sketch matrix as the places and signs of its rows."""
    rest = {name: value for name, value in given.items() if name not in SKETCHES}
    for name, kind in SKETCHES.items():
        if name in given:
            shape(given, name, 2)  # not of an empty one, whose other side may be endless
            matrix = read(given[name])
            if matrix.ndim != 2 or not bool(((matrix != 0).sum(1) == 1).all()):
                raise UserError(f"{name} is no sketch matrix: a row has other than one entry")
            places = matrix.abs().argmax(1)
            rest[f"pooling.cbp.{kind}_places"] = places
            rest[f"pooling.cbp.{kind}_signs"] = matrix.gather(1, places[:, None])[:, 0].sign()
    return rest


def describe(given: Tensors, content: Any) -> Described:  # noqa: ARG001  the file has no settings
    """Widths from the shapes. That the appearance network is dilated shows in no shape."""
    used = shape(given, "part_feat_extractor.pose1.weight", 2)[1]
    if used not in MAPS:
        raise UserError(f"its part map is made of {used} maps, expected one of {', '.join(map(str, MAPS))}")
    sketch = next(iter(SKETCHES))
    return Described(
        backbone="googlenet",
        identities=0,
        options={
            "part_stream": "trained",
            "part_network": "openpose_pabr",
            "part_maps": MAPS[used],
            "appearance": shape(given, "app_feat_extractor.input_feat.weight")[0],
            "part": shape(given, "part_feat_extractor.pose1.weight")[0],
            "pooling": "compact",
            **({"embedding": shape(given, sketch, 2)[1]} if sketch in given else {}),
        },
        notes=("that the network is the dilated one the file does not say; if so: --set dilated=true",),
    )


PABR = Family(
    method="pabr",
    published="PABR's authors",
    table=TABLE,
    describe=describe,
    ours_alone=("pooling.",),  # a file without them: both draw from the same seeds
    split=split,
)
