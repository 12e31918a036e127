"""MPN of its authors, the published variant without masks: https://github.com/WangKan0128/MPN.

Their lists of layers are one stacked layer here. `Sfc_list` classifies the main tasks, `Tfc_list` the auxiliary ones.
The file is of MPN without channel attention; one with it has other names, which the table does not know.
"""

from typing import Any

from partreid.checkpoints.contents import Tensors
from partreid.checkpoints.families.base import Described, Family
from partreid.checkpoints.tables import Table, shape

TABLE: Table = (
    ("base.0.*", "backbone.conv1.*"),
    ("base.1.*", "backbone.bn1.*"),
    ("base.4.*", "backbone.layer1.*"),
    ("base.5.*", "backbone.layer2.*"),
    ("base.6.*", "backbone.layer3.*"),
    ("base.7.*", "backbone.layer4.*"),
    ("local_conv_list.#.0.weight", "conv1.weight[#]"),
    ("local_conv_list.#.0.bias", "conv1.bias[#]"),
    ("local_conv_list.0.1.num_batches_tracked", "conv1.norm.num_batches_tracked"),
    ("local_conv_list.#.1.num_batches_tracked", None),
    ("local_conv_list.#.1.*", "conv1.norm.*[#]"),
    ("local_conv_list2.#.0.weight", "conv2.weight[#]"),
    ("local_conv_list2.#.0.bias", "conv2.bias[#]"),
    ("local_conv_list2.0.1.num_batches_tracked", "conv2.norm.num_batches_tracked"),
    ("local_conv_list2.#.1.num_batches_tracked", None),
    ("local_conv_list2.#.1.*", "conv2.norm.*[#]"),
    ("Sfc_list.#.*", "classifier.*[#]"),
    ("Tfc_list.#.*", "auxiliary_classifier.*[#]"),
)


def describe(given: Tensors, content: Any) -> Described:  # noqa: ARG001  the file has no settings
    """K, D and the number of persons from the shapes."""
    K = sum(name.startswith("local_conv_list.") and name.endswith(".0.weight") for name in given)
    both = "Tfc_list.0.weight" in given
    return Described(
        backbone="resnet50",
        identities=shape(given, "Sfc_list.0.weight")[0] if "Sfc_list.0.weight" in given else 0,
        options={
            "parts": K,
            "embedding": shape(given, "local_conv_list.0.0.weight")[0],
            "channel_attention": False,
            "tasks": "both" if both else "main",
        },
    )


MPN = Family(
    method="mpn",
    published="MPN's authors",
    table=TABLE,
    describe=describe,
    ours_alone=("classifier.", "auxiliary_classifier."),
)
