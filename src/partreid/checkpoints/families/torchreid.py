"""Networks of torchreid: https://github.com/KaiyangZhou/deep-person-reid: OSNet x1.0, PCB and ResNet-50.

Its global networks compare what the layer before the classifier gives: the pooled vector, or, behind `fc`, a reduced
one. Its plain ResNet-50 keeps the last stage's stride, the one with `fc` does not. PCB compares the strips' averages,
each of unit length. torchreid's default distance is the Euclidean one; here, as everywhere, these methods take the
cosine.
"""

from typing import Any

from partreid.checkpoints.contents import Tensors
from partreid.checkpoints.families.base import Described, Family
from partreid.checkpoints.tables import Table, shape

OF_GLOBAL: Table = (
    ("classifier.*", "neck.classifier.*"),
    ("fc.*", "reduce.*"),
    ("*", "backbone.*"),
)
OF_PCB: Table = (
    ("classifier.#.*", "classifier.*[#]"),
    ("conv5.layers.*", "reduce.*"),
    ("fc.*", None),
    ("*", "backbone.*"),
)


def osnet(given: Tensors, content: Any) -> Described:  # noqa: ARG001  the file has no settings
    """The width of the reduced vector and the number of persons from the shapes."""
    return Described("osnet_x1_0", persons(given), {"embedding": shape(given, "fc.0.weight")[0], "neck": "fc"})


def resnet(given: Tensors, content: Any) -> Described:  # noqa: ARG001
    """With `fc`, torchreid's resnet50_fc512; without it, resnet50."""
    embedding = shape(given, "fc.0.weight")[0] if "fc.0.weight" in given else 0
    backbone = "resnet50" if embedding else "resnet50_stride32"
    return Described(backbone, persons(given), {"embedding": embedding, "neck": "fc"})


def persons(given: Tensors) -> int:
    """How many the classifier tells apart."""
    return shape(given, "classifier.weight")[0] if "classifier.weight" in given else 0


def pcb(given: Tensors, content: Any) -> Described:  # noqa: ARG001
    """K, D and the number of persons from the shapes."""
    K = sum(name.startswith("classifier.") and name.endswith(".weight") for name in given)
    options = {"embedding": shape(given, "conv5.layers.0.weight")[0], "reduction": "shared", "parts": K}
    return Described("resnet50", shape(given, "classifier.0.weight")[0], options)


OSNET = Family("bot", "torchreid", OF_GLOBAL, osnet, ours_alone=("neck.classifier.",))
RESNET = Family("bot", "torchreid", OF_GLOBAL, resnet, ours_alone=("neck.classifier.",))
PCB = Family("pcb", "torchreid", OF_PCB, pcb, at_test={"vectors": "averages"})
