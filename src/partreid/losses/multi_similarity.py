"""Multi-similarity loss: every anchor's positives and negatives, each weighed by all others.

Wang, Han, Huang, Dong, Scott: "Multi-Similarity Loss with General Pair Weighting for Deep Metric Learning", CVPR 2019,
https://arxiv.org/abs/1904.06627: mining by Eq. 11 and 12, weighting by Eq. 13.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def multi_similarity(
    features: Tensor, pid: Tensor, *, alpha_positive: float, alpha_negative: float, margin: float, mining: float
) -> Tensor:
    """Mean over the anchors of 1/α⁺ ln(1 + Σ_pos exp(-α⁺(s - λ))) + 1/α⁻ ln(1 + Σ_neg exp(α⁻(s - λ))).

    features: (B, D), of any length: s is the cosine. pid: int64 (B,). margin: λ. The anchor itself is no positive.
    mining: ε. A negative counts if it is more similar than the least similar positive less ε, a positive if it is less
    similar than the most similar negative plus ε; at 2 or more all count. An anchor without a positive or without a
    negative adds 0.
    """
    unit = F.normalize(features, dim=1)
    s = unit @ unit.T  # (B, B)
    same = pid[:, None] == pid[None, :]
    positive = same & ~torch.eye(len(pid), dtype=torch.bool, device=pid.device)
    least = s.detach().masked_fill(~positive, torch.inf).amin(1, keepdim=True)  # (B, 1)
    most = s.detach().masked_fill(same, -torch.inf).amax(1, keepdim=True)
    kept_positive, kept_negative = positive & (s < most + mining), ~same & (s > least - mining)
    attracting = _soft(-alpha_positive * (s - margin), kept_positive) / alpha_positive
    repelling = _soft(alpha_negative * (s - margin), kept_negative) / alpha_negative
    return (attracting + repelling).mean()


def _soft(x: Tensor, kept: Tensor) -> Tensor:
    """ln(1 + Σ exp(x)) over the kept entries of each row, without overflow: (B, B) -> (B,)."""
    one = x.new_zeros(len(x), 1)  # exp(0)
    return torch.cat([one, x.masked_fill(~kept, -torch.inf)], 1).logsumexp(1)
