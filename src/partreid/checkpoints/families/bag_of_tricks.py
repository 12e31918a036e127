"""Bag of Tricks of its authors: https://github.com/michuanhaohao/reid-strong-baseline.

The published ResNet-50 has no ReLU before its first pooling (backbone `resnet50_bot`); with IBN it has one.
"""

from typing import Any

from partreid.checkpoints.contents import Tensors
from partreid.checkpoints.families.base import Described, Family
from partreid.checkpoints.tables import Table, shape

TABLE: Table = (
    ("base.fc.*", None),
    ("base.*", "backbone.*"),
    ("bottleneck.*", "neck.norm.*"),
    ("classifier.*", "neck.classifier.*"),
)


def describe(given: Tensors, content: Any) -> Described:  # noqa: ARG001  the file has no settings
    """Backbone by the names, number of persons by the classifier."""
    return Described(
        backbone="resnet50_ibn_a" if "base.layer1.0.bn1.IN.weight" in given else "resnet50_bot",
        identities=shape(given, "classifier.weight")[0] if "classifier.weight" in given else 0,
    )


BAG_OF_TRICKS = Family(
    method="bot",
    published="Bag of Tricks' authors",
    table=TABLE,
    describe=describe,
    ours_alone=("neck.classifier.",),
)
