"""The box of a map, and what is inside a box, for whole batches on any device.

Boxes are x0, y0, x1, y1 in shares of an image's width and height, origin at its top-left corner.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

OUTSIDE = 0.02  # share of a map's mass that may lie beyond each side of its box


def boxes_of(maps: Tensor) -> Tensor:
    """The boxes (B, 4) of maps (B, h, w), 0 or more everywhere and not all 0, whose cells cover the image."""
    x0, x1 = _extent(maps.sum(1))
    y0, y1 = _extent(maps.sum(2))
    return torch.stack([x0, y0, x1, y1], 1)


def shares(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Which share of a box (B, 4) lies in each of h x w cells that cover the image: (B, h, w), of sum 1.

    What lies outside the image does not count. All 0 where nothing of the box is inside, or where it is NaN.
    """
    x0, y0, x1, y1 = boxes.nan_to_num().unbind(1)
    covered = _covered(y0, y1, size[0])[:, :, None] * _covered(x0, x1, size[1])[:, None, :]
    return covered / covered.sum((1, 2), keepdim=True).clamp_min(1e-12)


def _covered(start: Tensor, end: Tensor, n: int) -> Tensor:
    """How much of each of n cells of a line of length 1 lies between start and end (B,): (B, n)."""
    low = torch.arange(n, device=start.device) / n
    return (torch.minimum(end[:, None], low + 1 / n) - torch.maximum(start[:, None], low)).clamp_min(0)


def _extent(mass: Tensor) -> tuple[Tensor, Tensor]:
    """Where the mass along lines (B, n) begins and ends but for OUTSIDE, in shares of the line: (B,), (B,).

    Within its cell mass is spread evenly.
    """
    total = mass.cumsum(1)
    ends = []
    for share in (OUTSIDE, 1 - OUTSIDE):
        goal = share * total[:, -1:]
        cell = (total < goal).sum(1, keepdim=True).clamp_max(mass.shape[1] - 1)
        inside = mass.gather(1, cell)
        before = total.gather(1, cell) - inside
        ends.append((cell + (goal - before) / inside.clamp_min(1e-12)).squeeze(1) / mass.shape[1])
    return ends[0], ends[1]


def crop(images: Tensor, boxes: Tensor) -> Tensor:
    """What is inside boxes (B, 4) of images (B, C, H, W), at the images' own size. Bilinear; the border continues."""
    x0, y0, x1, y1 = boxes.unbind(1)
    zero = torch.zeros_like(x0)
    # affine_grid takes places in -1..1: the middle of the output comes from the middle of the box
    theta = torch.stack([x1 - x0, zero, x0 + x1 - 1, zero, y1 - y0, y0 + y1 - 1], 1).unflatten(1, (2, 3))
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)
