"""The BNNeck and its label-smoothed identity loss.

Luo et al., "Bag of Tricks and a Strong Baseline for Deep Person Re-identification", CVPRW 2019, sections 3.3 and 3.5:
the triplet loss sees the feature f_t before the batch norm, the classifier and the test see f_i after it.
"""

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor, nn


class BNNeck(nn.Module):
    """Batch norm without learned shift (`norm`), then a bias-free classifier on it."""

    def __init__(self, channels: int, identities: int):
        super().__init__()
        self.norm = nn.BatchNorm1d(channels)
        self.norm.bias.requires_grad_(False)
        self.classifier = nn.Linear(channels, identities, bias=False)
        nn.init.normal_(self.classifier.weight, std=0.001)

    def forward(self, feature: Tensor) -> Tensor:
        """Logits for the identity loss: (B, D) -> (B, identities)."""
        return self.classifier(self.norm(feature))


class FullyConnected(nn.Module):
    """In place of the BNNeck: logits (B, identities) straight from the feature (B, D)."""

    def __init__(self, channels: int, identities: int):
        super().__init__()
        self.norm = nn.Identity()
        self.classifier = nn.Linear(channels, identities)

    def forward(self, feature: Tensor) -> Tensor:
        return self.classifier(feature)


NECKS: dict[str, type[BNNeck] | type[FullyConnected]] = {"bnneck": BNNeck, "fc": FullyConnected}


IGNORED = -100  # the target of what has no say


def smoothed_cross_entropy(logits: Tensor, target: Tensor, smoothing: float, count: int | None = None) -> Tensor:
    """Cross-entropy with uniform label smoothing: target weight 1 - e + e/N, others e/N, for C classes; mean.

    logits: (B, C) or (B, C, ...). target: int64 (B,) or (B, ...), IGNORED where there is none; 0 if there is none at
    all. count: N; C by default, when the weights sum to 1.
    """
    known = (target != IGNORED).sum().clamp_min(1)

    def loss(e: float) -> Tensor:
        return F.cross_entropy(logits, target, label_smoothing=e, reduction="sum", ignore_index=IGNORED) / known

    if count is None:
        return loss(smoothing)
    # loss(1): every class weighs 1/C
    return (1 - smoothing) * loss(0) + smoothing * logits.shape[1] / count * loss(1)


def averaged_cross_entropy(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    """The same for K classifiers, averaged over them. logits: (B, K, C). target: int64 (B,)."""
    targets = target[:, None].expand(logits.shape[:2])
    return smoothed_cross_entropy(logits.transpose(1, 2), targets, smoothing)


def summed_cross_entropy(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    """The same, summed over the K classifiers."""
    return logits.shape[1] * averaged_cross_entropy(logits, target, smoothing)


PART_IDENTITIES: dict[str, Callable[[Tensor, Tensor, float], Tensor]] = {
    "mean": averaged_cross_entropy,
    "sum": summed_cross_entropy,
}
