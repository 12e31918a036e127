"""Batch-hard triplet loss on any matrix of pairwise distances.

Hermans et al., "In Defense of the Triplet Loss for Person Re-Identification", 2017, Eq. 5. The distance is the
caller's: Euclidean for Bag of Tricks, part-averaged for BPBreID (Eq. 7-8), cosine for MPN (Eq. 3-4).

Scale. The Euclidean distance of vectors with D channels grows with the channels' spread and the square root of D, and
the loss and its gradient with it. The papers' margin, and the loss's weight of 1, are for what ResNet-50 gives: that is
`euclidean`. MobileNetV2's 1,280 averaged channels lie far apart: in a batch of rendered people as training starts the
mean distance is 26, the loss 7 and its gradient in the backbone 70 long, the identity loss's 0.5, which then teaches
nothing. `root_mean_square` is the same distance per channel, divided by sqrt(D): the gradient is 1.9 long. The recipes
for small backbones take it (`triplet_distance`).
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor


def euclidean(features: Tensor) -> Tensor:
    """Pairwise Euclidean distances of (..., B, D) -> (..., B, B), differentiable at distance 0."""
    square = features.square().sum(-1)
    squared = square.unsqueeze(-1) + square.unsqueeze(-2) - 2 * features @ features.transpose(-1, -2)
    return squared.clamp_min(1e-12).sqrt()  # the clamp keeps the square root's gradient finite on the diagonal


def root_mean_square(features: Tensor) -> Tensor:
    """The root of the mean squared difference over the channels, euclidean / sqrt(D): (..., B, D) -> (..., B, B)."""
    return euclidean(features) / features.shape[-1] ** 0.5


Distance = Callable[[Tensor], Tensor]
DISTANCES: dict[str, Distance] = {"euclidean": euclidean, "root_mean_square": root_mean_square}


def cosine(features: Tensor) -> Tensor:
    """Pairwise cosine distances, 0..2, of (B, D) -> (B, B)."""
    unit = F.normalize(features, dim=-1)
    return 1 - unit @ unit.T


def batch_hard(distances: Tensor, pid: Tensor, margin: float, compared: Tensor | None = None) -> Tensor:
    """Mean over the anchors of [hardest positive - hardest negative + margin]_+.

    distances: (B, B). pid: int64 (B,). The anchor itself is no positive. An anchor without a positive or without a
    negative has no triplet and does not count; if no anchor has one the loss is 0. compared: bool (B, B), the pairs
    that count, if not all.
    """
    violations, counts = hardest(distances, pid, margin, compared)
    return violations.sum() / counts.sum().clamp_min(1)


def batch_hard_violating(distances: Tensor, pid: Tensor, margin: float) -> Tensor:
    """The same, averaged over the anchors whose term is above 0 (MPN, Eq. 3: N_T violating triplets)."""
    violations, _ = hardest(distances, pid, margin)
    return violations.sum() / (violations > 0).sum().clamp_min(1)


def hardest(distances: Tensor, pid: Tensor, margin: float, compared: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """[hardest positive - hardest negative + margin]_+ of every anchor, 0 where it has no triplet; where it has one.

    Both (B,). Nothing here waits for the device: a mask in place of a selection.
    """
    same = pid[:, None] == pid[None, :]
    positive, negative = same & ~torch.eye(len(pid), dtype=torch.bool, device=pid.device), ~same
    if compared is not None:
        positive, negative = positive & compared, negative & compared
    farthest = distances.masked_fill(~positive, -torch.inf).amax(1)
    nearest = distances.masked_fill(~negative, torch.inf).amin(1)
    # without a positive or a negative the difference is minus infinity, so its violation is 0 and has no gradient
    return (farthest - nearest + margin).clamp_min(0), positive.any(1) & negative.any(1)
