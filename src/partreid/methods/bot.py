"""Bag of Tricks: the global baseline.

Luo, Gu, Liao, Lai, Jiang: "Bag of Tricks and a Strong Baseline for Deep Person Re-identification", CVPRW 2019.
One vector per image: backbone with last stride 1, global average pooling, BNNeck. Warm-up, random erasing and the
identity-balanced batches are the recipe's (params.yaml) and the training loop's.

Differs from the paper: no centre loss (section 3.6; it adds 0.2 mAP in the paper's table 1 and a second optimiser). The
laptop's recipe takes the triplet loss's distance per channel (`triplet_distance`, see partreid.losses.triplet): on its
small backbone the Euclidean one would drown the identity loss.
What published code does otherwise, by name: `backbone: resnet50_bot` is the authors', without a ReLU before the first
pooling; `erase_fill: raw` is their erasing; fast-reid has `backbone: resnet50_fastreid` and `smoothing_over: others`.
torchreid's global networks have a classifier in place of the BNNeck, `neck: fc`; OSNet and its ResNet-50 with a
reduced vector put Linear + BN + ReLU before it, `embedding: 512`, and compare what that gives; its plain ResNet-50
keeps the last stride, `backbone: resnet50_stride32`.
"""

from torch import Tensor

from partreid import backbones
from partreid.errors import choose
from partreid.inputs.batch import Batch, Inputs
from partreid.layers.reduction import reduction
from partreid.losses.identity import NECKS, smoothed_cross_entropy
from partreid.losses.triplet import DISTANCES, batch_hard
from partreid.methods.base import Method

SMOOTHING_OVER = dict.fromkeys(("all", "others"))


class BagOfTricks(Method):
    """f_t = GAP(backbone) for the triplet loss; f_i = BN(f_t) for the identity loss and, by cosine, for the test.

    smoothing: label smoothing. smoothing_over: "all" classes, as section 3.3, or the "others" than the right one.
    margin: of the triplet loss. triplet_distance: a key of losses.triplet.DISTANCES. embedding: the width that f_t is
    reduced to; 0: as pooled. neck: a key of losses.identity.NECKS. Older weights files lack the last three and
    smoothing_over.
    """

    distance = "cosine"

    def __init__(
        self,
        *,
        backbone: str,
        identities: int,
        smoothing: float,
        margin: float,
        triplet_distance: str = "euclidean",
        smoothing_over: str = "all",
        embedding: int = 0,
        neck: str = "bnneck",
    ):
        super().__init__()
        choose(SMOOTHING_OVER, smoothing_over, "classes (methods.bot.smoothing_over)")
        self.backbone = backbones.build(backbone)
        self.reduce = reduction(self.backbone.channels, embedding)
        self.neck = choose(NECKS, neck, "neck (methods.bot.neck)")(embedding or self.backbone.channels, identities)
        self.classifiers = {"identity": 1}
        self.smoothing = smoothing
        if smoothing_over == "others":  # e on the C - 1 others is e C / (C - 1) on all
            self.smoothing = smoothing * identities / (identities - 1)
        self.margin = margin
        self.triplet_distance = choose(DISTANCES, triplet_distance, "distance (methods.bot.triplet_distance)")

    def pooled(self, images: Tensor) -> Tensor:
        """f_t: (B, 3, H, W) -> (B, D)."""
        return self.reduce(self.feature_map(images).mean((2, 3)))

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        f_t = self.pooled(batch.images)
        return {
            "identity": smoothed_cross_entropy(self.neck(f_t), batch.pid, self.smoothing),
            "triplet": batch_hard(self.triplet_distance(f_t), batch.pid, self.margin),
        }

    def embed(self, inputs: Inputs) -> tuple[Tensor, Tensor]:
        f_i = self.neck.norm(self.pooled(inputs.images))
        return f_i[:, None], f_i.new_ones(f_i.shape[0], 1)  # (B, 1, C), (B, 1)

    def part_names(self) -> tuple[str, ...]:
        return ("global",)
