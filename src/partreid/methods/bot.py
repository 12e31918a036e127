"""Bag of Tricks: the global baseline.

Luo, Gu, Liao, Lai, Jiang: "Bag of Tricks and a Strong Baseline for Deep Person Re-identification", CVPRW 2019.
One vector per image: backbone with last stride 1, global average pooling, BNNeck. Warm-up, random erasing and the
identity-balanced batches are the recipe's (params.yaml) and the training loop's.

Differs from the paper: no centre loss (section 2.7; it adds 0.2 mAP in the paper's table 1 and a second optimiser).
"""

import torch
from torch import Tensor

from partreid import backbones
from partreid.inputs.batch import Batch, Inputs
from partreid.losses.identity import BNNeck, smoothed_cross_entropy
from partreid.losses.triplet import batch_hard, euclidean
from partreid.methods.base import Method


class BagOfTricks(Method):
    """f_t = GAP(backbone) for the triplet loss; f_i = BN(f_t) for the identity loss and, by cosine, for the test.

    smoothing: label smoothing. margin: of the triplet loss.
    """

    distance = "cosine"

    def __init__(self, *, backbone: str, identities: int, smoothing: float, margin: float):
        super().__init__()
        self.backbone = backbones.build(backbone)
        self.neck = BNNeck(self.backbone.channels, identities)
        self.smoothing = smoothing
        self.margin = margin

    def pooled(self, images: Tensor) -> Tensor:
        """f_t: (B, 3, H, W) -> (B, C)."""
        return self.feature_map(images).mean((2, 3))

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        f_t = self.pooled(batch.images)
        return {
            "identity": smoothed_cross_entropy(self.neck(f_t), batch.pid, self.smoothing),
            "triplet": batch_hard(euclidean(f_t), batch.pid, self.margin),
        }

    def embed(self, inputs: Inputs) -> tuple[Tensor, Tensor]:
        f_i = self.neck.norm(self.pooled(inputs.images))
        return f_i[:, None], torch.ones(len(f_i), 1, device=f_i.device)  # (B, 1, C), (B, 1)

    def part_names(self) -> tuple[str, ...]:
        return ("global",)
