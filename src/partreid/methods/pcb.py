"""PCB: the strip baseline.

Sun, Zheng, Yang, Tian, Wang: "Beyond Part Models: Person Retrieval with Refined Part Pooling (and A Strong
Convolutional Baseline)", ECCV 2018, section 3.1, without the refined part pooling of 3.2. The feature map is divided
evenly into K strips; each is averaged, reduced by its own 1x1 convolution and classified by its own classifier. Table 9
of MPN's paper compares size and speed with it.

Where the paper is silent: the reduction is followed by batch norm and ReLU, as is usual. A test may take the strips'
averages or the reduced vectors; we take the reduced ones, which that table counts in the test network.
"""

from typing import Any

import torch
from torch import Tensor

from partreid import backbones
from partreid.methods.base import Batch, Inputs, Method
from partreid.methods.mpn import Classifiers, PartConv, identity_loss
from partreid.methods.mpn_prior import strip_rows, uniform_strips


class PCB(Method):
    """parts: K, the number of strips. embedding: width of the reduced vectors.

    backbone_rate: the share of the learning rate that the backbone learns with.
    """

    distance = "cosine"

    def __init__(self, *, backbone: str, identities: int, parts: int, embedding: int, backbone_rate: float):
        super().__init__()
        self.backbone = backbones.build(backbone)
        self.reduce = PartConv(parts, self.backbone.channels, embedding)
        self.classifier = Classifiers(parts, embedding, identities)
        self.parts = parts
        self.backbone_rate = backbone_rate

    def parameter_groups(self, weight_decay: float) -> list[dict[str, Any]]:
        new = [*self.reduce.parameters(), *self.classifier.parameters()]
        old = {"params": list(self.backbone.parameters()), "weight_decay": weight_decay, "rate": self.backbone_rate}
        return [{"params": new, "weight_decay": weight_decay}, old]

    def strips(self, features: Tensor) -> Tensor:
        """h of every strip: (B, C, h, w) -> (B, K, D)."""
        average = uniform_strips(features, self.parts).mean(2, keepdim=True)  # (B, K, 1, C)
        return self.reduce(average)[:, 0].relu()

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        return {"identity": identity_loss(self.part_logits(self.feature_map(batch.images)), batch.pid)}

    def embed(self, inputs: Inputs) -> tuple[Tensor, Tensor]:
        h = self.strips(self.feature_map(inputs.images))
        return h, torch.ones(h.shape[:2], device=h.device)

    def part_names(self) -> tuple[str, ...]:
        return tuple(f"strip {k + 1}" for k in range(self.parts))

    def part_logits(self, features: Tensor) -> Tensor:
        """What each strip's classifier says: (B, C, h, w) -> (B, K, identities)."""
        return self.classifier(self.strips(features))

    def part_rows(self, h: int) -> Tensor:
        """Which of the feature map's h rows each strip sees: bool (K, h)."""
        return strip_rows(h, self.parts)
