"""FSAM's parsing network F_m, trained to say what the cached label `schp` says.

Hong et al., "Fine-Grained Shape-Appearance Mutual Learning for Cloth-Changing Person Re-Identification", CVPR 2021,
section 3.1, start F_m from SCHP trained on PASCAL-Person-Part. With the published file of that network at hand,
`published` loads it, and the training has nothing left to do: 0 epochs. Without it, F_m learns the coarse masks of the
images that FSAM is going to see, from whatever tool the label comes from: the masks that Eq. 4 compares with.

Differs from SCHP's own training: cross-entropy of every pixel on the result alone; no loss of its own for the edges
and for the decoder, no Lovász loss, no self-correction.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from partreid.backbones.parser import Parser, coarse
from partreid.errors import UserError
from partreid.inputs.batch import Batch
from partreid.methods.base import Learner


class Parsing(Learner):
    """F_m alone. parser: one of partreid.backbones.parser. published: start from SCHP's published weights."""

    labels = ("schp",)
    reads_clean = True

    def __init__(self, *, backbone: str, identities: int, parser: str, published: bool):  # noqa: ARG002
        super().__init__()
        self.F_m = Parser(parser)
        self.published = published

    def load_initial(self, backbone: str) -> None:  # noqa: ARG002  F_m brings its own
        if not self.published:
            self.F_m.load_imagenet()
            return
        try:
            self.F_m.load_published()
        except UserError as error:
            raise UserError(
                f"{error}. Without that file, F_m can learn from the cached labels: set pretraining.parsing.published "
                "to false and pretraining.parsing.epochs to, say, 20"
            ) from error

    def early(self) -> Sequence[nn.Module]:
        return self.F_m.early()

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        scores = self.feature_map(batch.clean, self.F_m)  # (B, 7, H, W)
        known = batch.labelled["schp"]
        target = coarse(batch.labels["schp"], (scores.shape[2], scores.shape[3]))
        loss = F.cross_entropy(scores, target, reduction="none").mean((1, 2))  # (B,)
        return {"parsing": torch.where(known, loss, 0).sum() / known.sum().clamp_min(1)}
