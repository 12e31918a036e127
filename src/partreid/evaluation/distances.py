"""Distances between embedded images, block against block.

Every distance is a function (query block, gallery block) -> float32 (q, g), >= 0, never NaN, on the blocks' device.
`+inf` means "nothing to compare". Smaller is more alike.

Accuracy: inner products are float32, so a cosine distance is good to about 1e-6, a squared Euclidean distance to about
1e-6 of |a|² + |b|² (two equal images of norm 1 may come out 1e-3 apart instead of 0). The matrix product must
not round its inputs (torch's default on every device; TF32 would).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad


@dataclass(frozen=True)
class Vectors:
    """N embedded images, ready to be compared.

    features: float32 (N, P, D). visibility: float32 (N, P), 0 or 1. norms: float32 (N, P), squared length of each part.
    """

    features: Tensor
    visibility: Tensor
    norms: Tensor

    def __len__(self) -> int:
        return len(self.features)

    def rows(self, start: int, count: int) -> "Vectors":
        """Rows start .. start + count - 1; past the end rows of zeros, so that a block always has `count` rows."""
        here = slice(start, start + count)
        blocks = self.features[here], self.visibility[here], self.norms[here]
        missing = count - len(blocks[0])
        if missing:
            blocks = (
                pad(blocks[0], (0, 0, 0, 0, 0, missing)),
                pad(blocks[1], (0, 0, 0, missing)),
                pad(blocks[2], (0, 0, 0, missing)),
            )
        return Vectors(*blocks)


def vectors(features: Tensor, visibility: Tensor) -> Vectors:
    """Prepare features (N, P, D) and visibility (N, P), both float32."""
    norms = torch.linalg.vecdot(features, features)  # (N, P); no root and square, which would round twice
    return Vectors(features, visibility, norms)


class Embedded(Protocol):
    """N embedded images as they are stored: float32 (N, P, D) and (N, P)."""

    @property
    def features(self) -> np.ndarray: ...
    @property
    def visibility(self) -> np.ndarray: ...


def tensors(embedded: Embedded) -> Vectors:
    """`vectors` of what is stored, on the CPU."""
    return vectors(torch.from_numpy(embedded.features), torch.from_numpy(embedded.visibility))


Distance = Callable[[Vectors, Vectors], Tensor]


def cosine(query: Vectors, gallery: Vectors) -> Tensor:
    """1 - cos of the angle between the flattened (P * D) vectors, 0..2. A vector of zeros is at distance 1 from all."""
    product = query.features.flatten(1) @ gallery.features.flatten(1).T  # (q, g)
    for side, shape in ((query, (-1, 1)), (gallery, (1, -1))):
        length = side.norms.sum(1).sqrt()  # (n,)
        product *= torch.where(length > 0, 1 / length, 0).view(shape)
    return torch.sub(1, product, out=product).clamp_(min=0)


def euclidean(query: Vectors, gallery: Vectors) -> Tensor:
    """Euclidean distance of the flattened (P * D) vectors."""
    return _euclidean(query.features.flatten(1), gallery.features.flatten(1), query.norms.sum(1), gallery.norms.sum(1))


def parts(query: Vectors, gallery: Vectors) -> Tensor:
    """Mean Euclidean distance of the parts that both images show; +inf when they share none.

    sum_i(v_i^q v_i^g |f_i^q - f_i^g|) / sum_i(v_i^q v_i^g): BPBreID, Eq. 9. The parts of Eq. 9 are
    {f, 1..K}; which parts an embedding holds is the method's affair.
    """
    total = query.features.new_zeros(len(query), len(gallery))  # (q, g)
    for part in range(query.features.shape[1]):
        distance = _euclidean(
            query.features[:, part], gallery.features[:, part], query.norms[:, part], gallery.norms[:, part]
        )
        distance *= query.visibility[:, part, None]
        total.addcmul_(distance, gallery.visibility[:, part].expand_as(total))
    common = query.visibility @ gallery.visibility.T  # (q, g)
    return total.div_(common).masked_fill_(common == 0, torch.inf)


def _euclidean(query: Tensor, gallery: Tensor, query_norms: Tensor, gallery_norms: Tensor) -> Tensor:
    """(q, D), (g, D), squared lengths (q,), (g,) -> (q, g)."""
    squared = torch.addmm(gallery_norms.expand(len(query), -1), query, gallery.T, alpha=-2)  # |b|² - 2ab
    return squared.add_(query_norms[:, None]).clamp_(min=0).sqrt_()


DISTANCES: dict[str, Distance] = {"cosine": cosine, "euclidean": euclidean, "parts": parts}
