"""PCB: the strip baseline.

Sun, Zheng, Yang, Tian, Wang: "Beyond Part Models: Person Retrieval with Refined Part Pooling (and A Strong
Convolutional Baseline)", ECCV 2018, section 3.1, without the refined part pooling. The feature map is divided evenly
into K strips; each is averaged, reduced by its own 1x1 convolution and classified by its own classifier. Table 9 of
MPN's paper compares size and speed with it.

Where the paper is silent: the reduction is followed by batch norm and ReLU, as is usual. A test may take the strips'
averages or the reduced vectors; we take the reduced ones, which that table counts in the test network; the averages
are at_test's `vectors: averages`.
Its authors' code and torchreid have one reduction for all strips, without a bias: `reduction: shared`. Batches are 64
images of as many persons, where the authors draw 64 images at random: that is nearly the same on Market-1501, and in
batches of 16 persons x 4 the classifiers, with no other loss beside them, learn to guess who is in a batch.

Table 4 of BPBreID's paper puts other losses on PCB (partreid.losses.gilt): `identity_on` and `triplet_on` name any of
"global", the whole map's average, reduced as the strips are; "concatenated", the K strips' vectors; "parts", these.
How it was trained the paper does not say; recipe `paper_table4` is its authors' configuration: Bag of Tricks' schedule
and batches, one reduction to 512, means over strips. As in its Eq. 6, holistic embeddings are classified behind a
BNNeck; the strips' classifiers, which have a BNNeck in that configuration, and tests stay PCB's own.
"""

from collections.abc import Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from partreid import backbones
from partreid.errors import choose, positive
from partreid.inputs.batch import Batch, Inputs
from partreid.layers.strips import Classifiers, PartConv, strip_rows, uniform_strips
from partreid.losses import gilt
from partreid.losses.identity import PART_IDENTITIES, BNNeck, smoothed_cross_entropy
from partreid.losses.triplet import DISTANCES
from partreid.methods.base import Method

HOLISTIC = ("global", "concatenated")
REDUCTIONS = dict.fromkeys(("apart", "shared"))


class PCB(Method):
    """parts: K, the number of strips. embedding: width of the reduced vectors.

    backbone_rate: the share of the learning rate that the backbone learns with. identity_on, triplet_on: the embeddings
    that get an identity loss and a triplet loss, any of HOLISTIC and "parts". smoothing: of the labels. margin: of the
    triplet loss. triplet_distance: a key of losses.triplet.DISTANCES. reduction: of the strips, "apart" or "shared".
    part_identity: a key of losses.identity.PART_IDENTITIES; PCB's own is the sum over its strips. Weights files from
    before these seven have their defaults.
    """

    distance = "cosine"

    def __init__(
        self,
        *,
        backbone: str,
        identities: int,
        parts: int,
        embedding: int,
        backbone_rate: float,
        identity_on: Sequence[str] = ("parts",),
        triplet_on: Sequence[str] = (),
        smoothing: float = 0.0,
        margin: float = 0.3,
        triplet_distance: str = "euclidean",
        reduction: str = "apart",
        part_identity: str = "sum",
    ):
        super().__init__()
        choose(REDUCTIONS, reduction, "reduction of pcb")
        positive(parts, "parts")
        positive(embedding, "embedding")
        gilt.names(identity_on, triplet_on, (*HOLISTIC, "parts"))
        self.backbone = backbones.build(backbone)
        self.reduce: nn.Module
        self.shared = reduction == "shared"
        if self.shared:
            convolution = nn.Linear(self.backbone.channels, embedding, bias=False)
            self.reduce = nn.Sequential(convolution, nn.BatchNorm1d(embedding))
        else:
            self.reduce = PartConv(parts, self.backbone.channels, embedding)
        self.classifier = Classifiers(parts, embedding, identities)
        self.reduce_global: PartConv | None = None
        if "global" in (*identity_on, *triplet_on):
            self.reduce_global = PartConv(1, self.backbone.channels, embedding)
        widths = {"global": embedding, "concatenated": parts * embedding}
        self.necks = nn.ModuleDict({name: BNNeck(widths[name], identities) for name in HOLISTIC if name in identity_on})
        self.parts = parts
        self.backbone_rate = backbone_rate
        self.classifiers = gilt.classifiers(identity_on, parts, part_identity)
        self.part_identity = choose(PART_IDENTITIES, part_identity, "reduction (methods.pcb.part_identity)")
        self.identity_on, self.triplet_on = tuple(identity_on), tuple(triplet_on)
        self.compares = bool(triplet_on)
        self.smoothing, self.margin = smoothing, margin
        self.triplet_distance = choose(DISTANCES, triplet_distance, "distance (methods.pcb.triplet_distance)")
        self.use()

    def parameter_groups(self, weight_decay: float) -> list[dict[str, Any]]:
        new = [parameter for name, parameter in self.named_parameters() if not name.startswith("backbone.")]
        old = {"params": list(self.backbone.parameters()), "weight_decay": weight_decay, "rate": self.backbone_rate}
        return [{"params": new, "weight_decay": weight_decay}, old]

    def average(self, features: Tensor) -> Tensor:
        """g of every strip: (B, C, h, w) -> (B, K, C)."""
        return uniform_strips(features, self.parts).mean(2)

    def strips(self, features: Tensor) -> Tensor:
        """h of every strip: (B, C, h, w) -> (B, K, D)."""
        average = self.average(features)
        if self.shared:
            return self.reduce(average.flatten(0, 1)).unflatten(0, average.shape[:2]).relu()
        return self.reduce(average[:, :, None])[:, 0].relu()

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        features = self.feature_map(batch.images)
        h = self.strips(features)
        f = {"parts": h, "concatenated": h.flatten(1)}
        if self.reduce_global is not None:
            f["global"] = self.reduce_global(features.mean((2, 3))[:, None])[:, 0, 0].relu()
        return gilt.terms(
            f,
            self.identity_on,
            self.triplet_on,
            lambda name, feature: self.identity_loss(name, feature, batch.pid),
            lambda feature: gilt.part_averaged(feature, batch.pid, self.margin, self.triplet_distance),
        )

    def identity_loss(self, name: str, feature: Tensor, pid: Tensor) -> Tensor:
        """Of a holistic embedding (B, D), or of all strips (B, K, D)."""
        if name == "parts":
            return self.part_identity(self.classifier(feature), pid, self.smoothing)
        return smoothed_cross_entropy(self.necks[name](feature), pid, self.smoothing)

    def use(self, *, vectors: str = "reduced") -> None:
        """vectors: what a test compares, the strips' "reduced" vectors or their "averages", each of unit length."""
        self.averages = choose({"reduced": False, "averages": True}, vectors, "vectors (at_test.pcb.vectors)")

    def embed(self, inputs: Inputs) -> tuple[Tensor, Tensor]:
        features = self.feature_map(inputs.images)
        h = F.normalize(self.average(features), dim=2) if self.averages else self.strips(features)
        return h, h.new_ones(h.shape[:2])

    def part_names(self) -> tuple[str, ...]:
        return tuple(f"strip {k + 1}" for k in range(self.parts))

    def part_logits(self, features: Tensor) -> Tensor:
        """What each strip's classifier says: (B, C, h, w) -> (B, K, identities)."""
        return self.classifier(self.strips(features))

    def part_rows(self, h: int) -> Tensor:
        """Which of the feature map's h rows each strip sees: bool (K, h)."""
        return strip_rows(h, self.parts)
