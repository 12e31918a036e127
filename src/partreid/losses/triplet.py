"""Batch-hard triplet loss on any matrix of pairwise distances.

Hermans et al., "In Defense of the Triplet Loss for Person Re-Identification", 2017, Eq. 5. The distance is the
caller's: Euclidean for Bag of Tricks, part-averaged for BPBreID (Eq. 7-8), cosine for MPN (Eq. 3-4).
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def euclidean(features: Tensor) -> Tensor:
    """Pairwise Euclidean distances of (..., B, D) -> (..., B, B), differentiable at distance 0."""
    square = features.square().sum(-1)
    squared = square.unsqueeze(-1) + square.unsqueeze(-2) - 2 * features @ features.transpose(-1, -2)
    return squared.clamp_min(1e-12).sqrt()  # the clamp keeps the square root's gradient finite on the diagonal


def cosine(features: Tensor) -> Tensor:
    """Pairwise cosine distances, 0..2, of (B, D) -> (B, B)."""
    unit = F.normalize(features, dim=-1)
    return 1 - unit @ unit.T


def batch_hard(distances: Tensor, pid: Tensor, margin: float) -> Tensor:
    """Mean over the anchors of [hardest positive - hardest negative + margin]_+.

    distances: (B, B). pid: int64 (B,). The anchor itself is no positive. An anchor without a positive or without a
    negative has no triplet and does not count; if no anchor has one the loss is 0.
    """
    violations = hardest(distances, pid, margin)
    return violations.mean() if len(violations) else distances.sum() * 0


def batch_hard_violating(distances: Tensor, pid: Tensor, margin: float) -> Tensor:
    """The same, averaged over the anchors whose term is above 0 (MPN, Eq. 3: N_T violating triplets)."""
    violations = hardest(distances, pid, margin)
    return violations.sum() / (violations > 0).sum().clamp_min(1)


def hardest(distances: Tensor, pid: Tensor, margin: float) -> Tensor:
    """[hardest positive - hardest negative + margin]_+ of every anchor that has a triplet: (at most B,)."""
    same = pid[:, None] == pid[None, :]
    positive = same & ~torch.eye(len(pid), dtype=torch.bool, device=pid.device)
    farthest = distances.masked_fill(~positive, -torch.inf).amax(1)
    nearest = distances.masked_fill(same, torch.inf).amin(1)
    valid = positive.any(1) & (~same).any(1)
    return (farthest - nearest + margin)[valid].clamp_min(0)
