"""Batch-hard triplet loss on any matrix of pairwise distances.

Hermans et al., "In Defense of the Triplet Loss for Person Re-Identification", 2017, Eq. 5. The distance is the
caller's: Euclidean for Bag of Tricks, part-averaged for BPBreID (Eq. 7-8).
"""

import torch
from torch import Tensor


def euclidean(features: Tensor) -> Tensor:
    """Pairwise Euclidean distances of (..., B, D) -> (..., B, B), differentiable at distance 0."""
    square = features.square().sum(-1)
    squared = square.unsqueeze(-1) + square.unsqueeze(-2) - 2 * features @ features.transpose(-1, -2)
    return squared.clamp_min(1e-12).sqrt()  # the clamp keeps the square root's gradient finite on the diagonal


def batch_hard(distances: Tensor, pid: Tensor, margin: float) -> Tensor:
    """Mean over the anchors of [hardest positive - hardest negative + margin]_+.

    distances: (B, B). pid: int64 (B,). The anchor itself is no positive. An anchor without a positive or without a
    negative has no triplet and does not count; if no anchor has one the loss is 0.
    """
    same = pid[:, None] == pid[None, :]
    positive = same & ~torch.eye(len(pid), dtype=torch.bool, device=pid.device)
    farthest = distances.masked_fill(~positive, -torch.inf).amax(1)
    nearest = distances.masked_fill(same, torch.inf).amin(1)
    valid = positive.any(1) & (~same).any(1)
    if not valid.any():
        return distances.sum() * 0
    return (farthest - nearest + margin)[valid].clamp_min(0).mean()
