"""Feature maps divided into strips, and layers that exist once for each of K parts: PCB's and MPN's."""

import torch
from torch import Tensor, nn


def divided(features: Tensor, top: Tensor, bottom: Tensor, parts: int) -> Tensor:
    """Rows top..bottom (int64, (B,)) of features (B, C, h, w) as K strips: (B, K, r w, C), K = parts.

    They are resized to h rows, or the next multiple of K (bilinear, cell centres at +0.5), r to a strip.
    """
    B, C, h, w = features.shape
    by_row = features.permute(0, 2, 3, 1).reshape(B, h, w * C)
    rows = rows_for(h, parts)
    resized = resize_rows(top, bottom, h, rows) @ by_row  # (B, rows, w C)
    return resized.reshape(B, parts, (rows // parts) * w, C)


def uniform_strips(features: Tensor, parts: int) -> Tensor:
    """K strips of the whole image: features (B, C, h, w) -> (B, K, r w, C)."""
    top = torch.zeros(features.shape[0], dtype=torch.int64, device=features.device)
    return divided(features, top, top + features.shape[2] - 1, parts)


def strip_rows(h: int, parts: int) -> Tensor:
    """Which of the feature map's rows each uniform strip sees: bool (K, h). If K divides h, each row has one."""
    resized = resize_rows(torch.tensor([0]), torch.tensor([h - 1]), h, rows_for(h, parts))
    return (resized[0] > 0).unflatten(0, (parts, -1)).any(1)


def rows_for(h: int, parts: int) -> int:
    """The first multiple of `parts` that is not below h."""
    return parts * -(-h // parts)


def resize_rows(top: Tensor, bottom: Tensor, h: int, rows: int) -> Tensor:
    """Bilinear interpolation of the rows top..bottom (int64, (B,)) to `rows` rows, as matrices float32 (B, rows, h)."""
    length = (bottom - top + 1)[:, None].float()  # (B, 1)
    centres = (torch.arange(rows, device=top.device) + 0.5) / rows * length - 0.5  # (B, rows), in rows from `top`
    places = top[:, None] + torch.minimum(centres.clamp_min(0), length - 1)
    return (1 - (places[:, :, None] - torch.arange(h, device=top.device)).abs()).clamp_min(0)


class PartConv(nn.Module):
    """K 1x1 convolutions with batch norm, one for each part.

    Input (B, N, C), which all parts see, or (B, K, N, C), to each its own; N positions. Output (B, N, K, D).
    """

    def __init__(self, parts: int, inputs: int, outputs: int):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(parts, outputs, inputs))
        self.bias = nn.Parameter(torch.empty(parts, outputs))
        self.norm = nn.BatchNorm1d(parts * outputs)
        for parameter in (self.weight, self.bias):
            nn.init.uniform_(parameter, -(inputs**-0.5), inputs**-0.5)  # PyTorch's own for a 1x1 convolution

    def forward(self, x: Tensor, remember: bool = True) -> Tensor:
        """remember: whether the running averages learn from this batch."""
        if x.dim() == 3:
            y = convolve(x, self.weight.flatten(0, 1), self.bias.flatten(), as_product=not x.is_cuda)  # (B, N, K D)
        else:
            y = (torch.einsum("bknc,kdc->bnkd", x, self.weight) + self.bias).flatten(2)
        norm, flat = self.norm, y.flatten(0, 1)  # (B N, K D)
        if remember or not self.training:
            flat = norm(flat)
        else:
            flat = nn.functional.batch_norm(flat, None, None, norm.weight, norm.bias, training=True, eps=norm.eps)
        return flat.view(*y.shape[:2], *self.bias.shape)


class Classifiers(nn.Module):
    """W_k of Eq. 1, one classifier for each part: (B, K, D) -> (B, K, identities)."""

    def __init__(self, parts: int, channels: int, identities: int):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(parts, identities, channels).normal_(std=0.001))
        self.bias = nn.Parameter(torch.zeros(parts, identities))

    def forward(self, features: Tensor) -> Tensor:
        return torch.einsum("bkd,kid->bki", features, self.weight) + self.bias


def convolve(x: Tensor, weight: Tensor, bias: Tensor, as_product: bool) -> Tensor:
    """1x1 convolution of (B, N, C) with (D, C): (B, N, D).

    On the CPU a matrix product is the faster form. On CUDA a product is computed in full float32, a convolution in TF32
    as the backbone's, which is several times faster.
    """
    if as_product:
        return nn.functional.linear(x, weight, bias)
    y = nn.functional.conv2d(x.transpose(1, 2).unflatten(2, (-1, 1)), weight[:, :, None, None], bias)
    return y.flatten(2).transpose(1, 2)
