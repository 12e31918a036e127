"""BPBreID of its authors: https://github.com/VlSomers/bpbreid.

The published network pools the foreground by a plain mean, calls a part visible where it is some pixel's most probable
class, and compares the foreground from behind its batch norm: named values of partreid.methods.bpbreid. HRNet fuses by
the nearest neighbour (partreid.backbones.hrnet).
"""

from typing import Any

from partreid.checkpoints.contents import Tensors, setting
from partreid.checkpoints.families.base import Described, Family
from partreid.checkpoints.tables import Table, shape
from partreid.errors import UserError

BACKBONE = "backbone_appearance_feature_extractor"
TABLE: Table = (
    (f"{BACKBONE}.classifier.*", None),  # of its ImageNet training, or of one without parts
    (f"{BACKBONE}.fc.*", None),
    (f"{BACKBONE}.cls_head.*", None),
    (f"{BACKBONE}.*", "backbone.*"),
    ("*_after_pooling_dim_reduce.layers.*", "reduce.*.*"),
    ("pixel_classifier.bn.*", "pixel_classifier.0.*"),
    ("pixel_classifier.classifier.*", "pixel_classifier.1.*"),
    ("concat_parts_identity_classifier.bn.*", "necks.concatenated.norm.*"),
    ("concat_parts_identity_classifier.classifier.*", "necks.concatenated.classifier.*"),
    ("parts_identity_classifier.#.bn.*", "part_necks.#.norm.*"),
    ("parts_identity_classifier.#.classifier.*", "part_necks.#.classifier.*"),
    ("*_identity_classifier.bn.*", "necks.*.norm.*"),
    ("*_identity_classifier.classifier.*", "necks.*.classifier.*"),
)
GROUPINGS = (2, 3, 4, 5, 6, 8, 11)  # numbers of parts of the paper; the authors' presets have names


def describe(given: Tensors, content: Any) -> Described:
    """Backbone and K from names and shapes; the labels' grouping and the images' size from the saved settings."""
    classifier = "global_identity_classifier.classifier.weight"
    K = shape(given, "pixel_classifier.classifier.weight")[0] - 1
    notes = []
    preset = setting(content, "model", "bpbreid", "masks", "preprocess")
    parts: int | str = preset if preset in ("five_v", "six") else K
    if parts == K and preset is None:
        notes.append(f"the file does not say which grouping its {K} parts were learned with; taken for the paper's {K}")
    if parts == K and K not in GROUPINGS:
        raise UserError(f"it has {K} parts, known are {', '.join(map(str, GROUPINGS))}")
    height, width = setting(content, "data", "height"), setting(content, "data", "width")
    return Described(
        backbone=backbone(given),
        identities=shape(given, classifier)[0] if classifier in given else 0,
        options={
            "parts": parts,
            "embedding": shape(given, "parts_after_pooling_dim_reduce.layers.0.weight")[0],
            "foreground_pooling": "mean",
        },
        size=(height, width) if isinstance(height, int) and isinstance(width, int) else None,
        notes=tuple(notes),
    )


def backbone(given: Tensors) -> str:
    """Our name of the network that the tensors belong to."""
    if f"{BACKBONE}.stage4.0.branches.0.0.conv1.weight" in given:
        return "hrnet_w32"
    return "resnet50_ibn_a" if f"{BACKBONE}.layer1.0.bn1.IN.weight" in given else "resnet50"


BPBREID = Family(
    method="bpbreid",
    published="BPBreID's authors",
    table=TABLE,
    describe=describe,
    at_test={"embeddings": ["foreground", "parts"], "visibility": "argmax", "normalize": True, "neck": "after"},
    ours_alone=("necks.", "part_necks."),
)
