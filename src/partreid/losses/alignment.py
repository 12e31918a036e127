"""Feature space alignment: two tasks' representations of the same images are drawn together.

Ding, Wang, Wang, Tao: "Multi-task Learning with Coarse Priors for Robust Part-aware Person Re-identification",
TPAMI 2022, sections 3.5 and 5.3.3. All take h and g, float32 (B, D), and pid, int64 (B,), and are 0 where h and g are
parallel; the gradient goes through both.
"""

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor


def cosine_distance(a: Tensor, b: Tensor) -> Tensor:
    """D of Eq. 4, row by row: (..., D), (..., D) -> (...)."""
    return 1 - F.cosine_similarity(a, b, dim=-1)


def class_wise(h: Tensor, g: Tensor, pid: Tensor) -> Tensor:
    """L_CF, Eq. 6-8: the distance between the two means of each identity, averaged over identities."""
    # every image stands for its share of its identity: a shape that depends on values would let the host wait for a GPU
    share = 1 / (pid[:, None] == pid).sum(1).to(h.dtype)  # (B,)
    return (share * cosine_distance(identity_means(h, pid), identity_means(g, pid))).sum() / share.sum()


def sample_wise(h: Tensor, g: Tensor, pid: Tensor) -> Tensor:  # noqa: ARG001
    """L_SF, Eq. 9: the distance of each image, averaged over images."""
    return cosine_distance(h, g).mean()


def batch_wise(h: Tensor, g: Tensor, pid: Tensor) -> Tensor:  # noqa: ARG001
    """Section 5.3.3: the distance between the two means of the whole batch."""
    return cosine_distance(h.mean(0), g.mean(0))


def identity_means(features: Tensor, pid: Tensor) -> Tensor:
    """Eq. 6 and 7, for every image that of its identity: (B, D), (B,) -> (B, D)."""
    same = (pid[:, None] == pid).to(features.dtype)  # (B, B)
    return same @ features / same.sum(1, keepdim=True)


ALIGNMENTS: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "class": class_wise,
    "sample": sample_wise,
    "batch": batch_wise,
}
