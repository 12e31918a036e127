"""The coarse prior of body part locations: MPN, section 3.2 and figure 5.

Ding, Wang, Wang, Tao: "Multi-task Learning with Coarse Priors for Robust Part-aware Person Re-identification",
TPAMI 2022.

From the label `schp` as a batch carries it: a mask M of the body on the feature map, the rows between which the body
lies, and from these the part-specific feature maps P_k. Nothing here is learned, and nothing is needed in a test.

Where the paper is silent:
- head and legs are present when their probabilities, summed over the cells of the label map, are at least `head_share`
  and `leg_share` of all cells; upper and lower legs both count as leg: one is enough and the classes know no sides;
- parsing says body where the background has less than one half, the person map where it has one half or more; a cell
  of the resized mask is body where at least `coverage` of it is, one half; on a grid as coarse as 12 x 4 that takes a
  head for background more often than not, and wants less;
- the 1 x 2 kernel is one row high and two columns wide, so that it leaves the boundaries where they are; it grows to
  the right;
- in the fall-back (no head, no leg, no label, or an empty mask) the features are not masked: M = 1;
- where K does not divide the rows of the feature map, the body is resized to the next multiple of K rows. In the
  paper's setting (24 rows, K = 6) this is the feature map's own size.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from partreid.body.parsing import PARSING
from partreid.layers.strips import divided

BACKGROUND, HEAD = PARSING.index("background"), PARSING.index("head")
LEGS = PARSING.index("upper_legs"), PARSING.index("lower_legs")


@dataclass(frozen=True)
class Prior:
    """Where the bodies of B images are. mask: M, float32 (B, h, w) of 0 and 1. top, bottom: int64 (B,), the first and
    the last row of the body, bottom included."""

    mask: Tensor
    top: Tensor
    bottom: Tensor


def whole(size: tuple[int, int, int], device: torch.device) -> Prior:
    """The fall-back, and Table 2's Uniform Division: all of the image is body. size: B, h, w."""
    B, h, w = size
    return Prior(
        torch.ones(B, h, w, device=device),
        torch.zeros(B, dtype=torch.int64, device=device),
        torch.full((B,), h - 1, device=device),
    )


@dataclass(frozen=True)
class Limits:
    """head_share, leg_share: of the label map's cells that must be head and legs. coverage: how much of a feature map's
    cell must be body for the cell to be. All 0..1."""

    head_share: float
    leg_share: float
    coverage: float = 0.5


def whole_bodies(schp: Tensor, limits: Limits) -> Tensor:
    """First step of figure 5a: which images show a head and a leg, bool (B,). The others are divided evenly."""
    cells = schp[:, : len(PARSING)].mean((2, 3))  # (B, 7), the share of each class
    return (cells[:, HEAD] >= limits.head_share) & (sum(cells[:, leg] for leg in LEGS) >= limits.leg_share)


def body(schp: Tensor, labelled: Tensor, size: tuple[int, int], limits: Limits) -> Prior:
    """The pipeline of figure 5a.

    schp: float (B, 8, H, W), the probabilities of the seven classes and, last, of the person, moved as the image was.
    labelled: bool (B,). size: h, w of the feature map.
    """
    classes, person = schp[:, : len(PARSING)], schp[:, len(PARSING)]
    present = whole_bodies(schp, limits) & labelled
    # second, the union of both maps
    union = (classes[:, BACKGROUND] < 0.5) | (person >= 0.5)  # (B, H, W)
    # third, resized to the feature map, binarised, dilated
    resized = F.interpolate(union[:, None].float(), size, mode="area")
    M = dilate((resized[:, 0] >= limits.coverage).float())  # (B, h, w)
    present &= M.any(2).any(1)
    M = torch.where(present[:, None, None], M, 1)
    rows = M.any(2)  # (B, h)
    numbers = torch.arange(size[0], device=M.device)
    top = torch.where(rows, numbers, size[0]).amin(1)
    bottom = torch.where(rows, numbers, -1).amax(1)
    return Prior(M, top, bottom)


def dilate(mask: Tensor) -> Tensor:
    """With a 1 x 2 kernel: a cell is set if it or its left neighbour was. (B, h, w) -> (B, h, w)."""
    return F.max_pool2d(F.pad(mask[:, None], (1, 0)), (1, 2), stride=1)[:, 0]


def roi_resize(schp: Tensor, labelled: Tensor, size: tuple[int, int], limits: Limits) -> Prior:
    """Table 2, ROI Resize: the boundaries without the mask."""
    prior = body(schp, labelled, size, limits)
    return Prior(torch.ones_like(prior.mask), prior.top, prior.bottom)


# None: no prior at all, and so no label: `whole`
PRIORS: dict[str, Callable[[Tensor, Tensor, tuple[int, int], Limits], Prior] | None] = {
    "uniform": None,
    "roi_resize": roi_resize,
    "ours": body,
}


def part_maps(features: Tensor, prior: Prior, parts: int) -> Tensor:
    """The part-specific feature maps P_k of figure 5b: features (B, C, h, w) -> (B, K, r w, C), K = parts.

    The three steps: multiply by M, resize the rows between top and bottom to the feature map's height (bilinear, pixel
    centres at +0.5), divide evenly into K strips of r rows.
    """
    return divided(features * prior.mask[:, None], prior.top, prior.bottom, parts)
