"""The triplet loss over all triplets of a batch, in O(B^2) memory.

Suh et al., "Part-Aligned Bilinear Representations for Person Re-identification", ECCV 2018, Eq. 6-7: for query q,
positive p and negative n, max(m + s_qn - s_qp, 0), averaged over the set T of all triplets. The similarity s is the
caller's.

In the sum, every s_qp appears (negated) as often as negatives violate against it and every s_qn as often as positives
do. Sorting a row of s gives these counts without ever writing down the B x B x B triplets, and they are all that the
gradient needs.
"""

import torch
from torch import Tensor

MEANS = ("all", "active")  # over all triplets, as Eq. 7; over those that violate the margin, as the authors' code


def all_triplets(similarity: Tensor, pid: Tensor, margin: float, mean: str) -> Tensor:
    """Mean of max(margin + s_qn - s_qp, 0) over all triplets with pid_q = pid_p != pid_n, p != q.

    similarity: float (B, B), row q, column p or n. pid: int64 (B,). mean: one of MEANS. 0 (with a gradient of 0)
    where there is no triplet.
    """
    same = pid[:, None] == pid[None, :]
    positive = same & ~torch.eye(len(pid), dtype=torch.bool, device=pid.device)
    with torch.no_grad():
        threshold = similarity - margin  # (q, p): a negative above it violates
        negatives = similarity.masked_fill(same, -torch.inf).sort(1).values
        positives = threshold.masked_fill(~positive, torch.inf).sort(1).values
        # how many negatives violate against each p, and with how many positives each n violates
        of_positive = len(pid) - torch.searchsorted(negatives, threshold, right=True)
        of_negative = torch.searchsorted(positives, similarity.contiguous())
        of_positive = of_positive.masked_fill(~positive, 0)
        of_negative = of_negative.masked_fill(same, 0)
        active = of_positive.sum()
        count = active if mean == "active" else (positive.sum(1) * (~same).sum(1)).sum()
    total = (of_negative * similarity - of_positive * similarity).sum() + margin * active.to(similarity.dtype)
    return total / count.clamp_min(1)
