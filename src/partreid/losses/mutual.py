"""Dense interactive mutual learning: what two networks that see the same persons tell each other.

Hong et al., "Fine-Grained Shape-Appearance Mutual Learning for Cloth-Changing Person Re-Identification", CVPR 2021,
section 4.2: between the layers, the similarities of a batch's images (Eq. 8-9); between the logits, the
Kullback-Leibler divergence both ways (Eq. 10-11, after Zhang et al., "Deep Mutual Learning", CVPR 2018).
Whether a side learns or only teaches is up to the caller, who detaches it.
"""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from partreid.errors import choose

# how a matrix of differences (B, B) becomes a number; which of them is the paper's: see partreid.methods.fsam
REDUCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "frobenius": torch.linalg.matrix_norm,  # Eq. 9 as printed
    "squared": lambda difference: difference.square().sum(),  # the symbol below Eq. 9
    "mean_square": lambda difference: difference.square().mean(),  # the squared norm over B²
}


def similarities(features: Tensor) -> Tensor:
    """Eq. 8: feature maps (B, C, h, w) -> cosines of the images' averages (B, B), 0..1.

    The paper compares the outputs of ResNet's blocks, which end in a ReLU. MobileNetV2's end in a linear bottleneck:
    their signed averages have cosines around 0 in the first blocks and of 0.5 in the last, which can never agree. So a
    ReLU stands here too, where it changes nothing for a ResNet.
    """
    phi = F.normalize(features.relu().mean((2, 3)), dim=1)
    return phi @ phi.T


def dense_similarity(a: Sequence[Tensor], s: Sequence[Tensor], reduction: str) -> Tensor:
    """L_SI, Eq. 9, a sum: every block's output of one network against every block's of the other, each (B, C, h, w)."""
    reduce = choose(REDUCTIONS, reduction, "reduction")
    S_a, S_s = [similarities(each) for each in a], [similarities(each) for each in s]
    return torch.stack([reduce(one - other) for one in S_a for other in S_s]).sum()


def symmetric_divergence(logits_a: Tensor, logits_s: Tensor) -> Tensor:
    """L_KL, Eq. 11: D_KL(p_a || p_s) + D_KL(p_s || p_a) of logits (B, identities), mean over the batch."""
    log_a, log_s = logits_a.log_softmax(1), logits_s.log_softmax(1)
    return ((log_a.exp() - log_s.exp()) * (log_a - log_s)).sum(1).mean()
