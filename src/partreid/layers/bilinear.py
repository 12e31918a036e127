"""Pooling two feature maps over the same cells to one vector: bilinear, compact bilinear, or side by side.

Suh et al., "Part-Aligned Bilinear Representations for Person Re-identification", ECCV 2018, Eq. 3: the mean over the
cells of the outer product of the two descriptors. Compact: Gao et al., "Compact Bilinear Pooling", CVPR 2016, algorithm
2, with the tensor sketch of Pham and Pagh, "Fast and Scalable Polynomial Kernels via Explicit Feature Maps", KDD 2013:
a random projection of the outer product that keeps inner products in expectation.

All take appearance (B, cA, h, w) and part (B, cP, h, w) maps, float32, and give (B, outputs).
"""

from collections.abc import Callable, Mapping
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

Layer = TypeVar("Layer", nn.Linear, nn.Conv2d)
SEEDS = ((1, 3), (5, 7))  # of hash and sign for the appearance and for the part map, as in PABR's published code


class Pooling(nn.Module):
    """What every pooling is. outputs: the length of the vector."""

    outputs: int


class Exact(Pooling):
    """Eq. 3: f = 1/S sum_xy vec(a_xy (x) p_xy), in the order of Eq. 5: p_1 a, p_2 a, ..."""

    def __init__(self, appearance: int, part: int, outputs: int):  # noqa: ARG002  the outer product's length is given
        super().__init__()
        self.outputs = appearance * part

    def forward(self, A: Tensor, P: Tensor) -> Tensor:
        return mean_outer(A, P).flatten(1)


class Compact(Pooling):
    """Tensor sketch of `Exact`, of length `outputs`. The hashes and signs are buffers, stored with the weights.

    Entry a_i p_j of the outer product is added to place (h(i) + g(j)) mod outputs with the sign s(i) t(j). Algorithm 2
    does it without the outer product, by Fourier transforms of every cell's two sketches. With hundreds of cells an
    image it is less work to do as it says, once, with the mean over the cells: an eighth of the time on a CPU.
    """

    def __init__(self, appearance: int, part: int, outputs: int):
        super().__init__()
        self.outputs = outputs
        for name, channels, seeds in zip(("appearance", "part"), (appearance, part), SEEDS, strict=True):
            places, signs = hashes(channels, outputs, *seeds)
            self.register_buffer(f"{name}_places", torch.from_numpy(places))
            self.register_buffer(f"{name}_signs", torch.from_numpy(signs))

    def forward(self, A: Tensor, P: Tensor) -> Tensor:
        h, s, g, t = (self.get_buffer(f"{of}_{what}") for of in ("appearance", "part") for what in ("places", "signs"))
        signed = mean_outer(A, P) * (t[:, None] * s)  # (B, cP, cA)
        places = (g[:, None] + h) % self.outputs
        return signed.new_zeros(signed.shape[0], self.outputs).index_add(1, places.flatten(), signed.flatten(1))


def mean_outer(A: Tensor, P: Tensor) -> Tensor:
    """The mean over the cells of p (x) a: (B, cP, cA)."""
    return torch.einsum("bpn,ban->bpa", P.flatten(2), A.flatten(2)) / A[0, 0].numel()


def hashes(channels: int, outputs: int, place_seed: int, sign_seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A place 0..outputs-1, int64, and a sign, float32, for every channel: both (channels,)."""
    # the legacy generators: their streams are fixed for all time, and they are what the authors' code draws from
    places = np.random.RandomState(place_seed).randint(outputs, size=channels)
    signs = np.random.RandomState(sign_seed).randint(2, size=channels) * 2 - 1
    return places.astype(np.int64), signs.astype(np.float32)


class SecondOrder(Compact):
    """Compact bilinear pooling of the appearance map with itself, without parts."""

    def __init__(self, appearance: int, part: int, outputs: int):  # noqa: ARG002  there is no part
        super().__init__(appearance, appearance, outputs)

    def forward(self, A: Tensor, P: Tensor) -> Tensor:  # noqa: ARG002
        return super().forward(A, A)


class Concatenated(Pooling):
    """The paper's comparison, "concat + averagepool + linear": of both maps' means, a linear map to `outputs`."""

    def __init__(self, appearance: int, part: int, outputs: int):
        super().__init__()
        self.outputs = outputs
        self.linear = glorot(nn.Linear(appearance + part, outputs))

    def forward(self, A: Tensor, P: Tensor) -> Tensor:
        return self.linear(torch.cat([A.mean((2, 3)), P.mean((2, 3))], 1))


def glorot(layer: Layer) -> Layer:
    """The layer, initialised as the paper's section 5 has its added layers: after Glorot and Bengio, AISTATS 2010."""
    nn.init.xavier_uniform_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


POOLINGS: Mapping[str, Callable[[int, int, int], Pooling]] = {
    "compact": Compact,
    "exact": Exact,
    "concat": Concatenated,
}
SECOND_ORDER = "second_order"  # the name of SecondOrder, for a network without parts
