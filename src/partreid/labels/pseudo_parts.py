"""Pseudo part labels: which part of the body each place of an image shows, found by clustering a network's features.

Tran Thanh, Lee, Kang, "Enhancing Long-Term Person Re-Identification Using Global, Local Body Part, and Head Streams",
section 3.2.1, after Zhu et al., "Identity-Guided Human Semantic Parsing for Person Re-Identification", ECCV 2020.
Per identity, over all its images: first two clusters of the features' lengths (Eq. 8), foreground and background, then
k-means of the foreground's directions (Eq. 9), numbered from top to bottom.

The papers leave open how k-means starts, and random starts are what makes it differ from run to run. Here the first
step needs no start: in one dimension the best two clusters are the best of all cuts of the sorted values. The second
starts from as many equally large bands of the foreground, top to bottom. So the labels depend on nothing but the
features, and are the same whenever they are made again.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

BACKGROUND = 0
STEPS = 20  # of k-means, at most
PIECE = 16_384  # places that are moved at once


def part_maps(dense: Tensor, parts: int) -> Tensor:
    """Labels of one identity: dense features (n, h, w, C) -> uint8 (n, h, w), 0 background, 1..parts top to bottom.

    `dense`, contiguous, is the memory that this works in: it is overwritten. An identity's features can take gigabytes,
    400 images of 96 x 32 places with HRNet's 1,920 channels 9.4 GB, and there is no second copy of them.
    """
    shown = foreground(brightness(dense))  # (n, h, w)
    rows = shown.nonzero()[:, 1]  # (N,), the row of each foreground place
    directions = in_front(dense.view(-1, dense.shape[-1]), shown.flatten())  # Eq. 9, (N, C)
    cluster = k_means(directions, bands(rows, parts), parts)
    maps = torch.zeros(shown.shape, dtype=torch.uint8, device=dense.device)
    maps[shown] = (1 + from_top(rows, cluster, parts)[cluster]).to(torch.uint8)
    return maps


def brightness(dense: Tensor) -> Tensor:
    """Eq. 8: the length of each feature as a share of its image's longest; (n, h, w, C) -> (n, h, w) in 0..1."""
    length = dense.norm(dim=-1)
    return length / length.amax((1, 2), keepdim=True).clamp_min(1e-12)


def in_front(points: Tensor, chosen: Tensor) -> Tensor:
    """The chosen points at unit length, moved in their order to the front of `points`, which is overwritten there.

    points (P, C), chosen bool (P,) -> (N, C), a view. No point moves back, so none is overwritten before it has moved.
    """
    places = chosen.nonzero()[:, 0]
    for start in range(0, len(places), PIECE):
        some = places[start : start + PIECE]
        points[start : start + len(some)] = F.normalize(points[some], dim=1)
    return points[: len(places)]


def foreground(values: Tensor) -> Tensor:
    """The brighter of the two clusters with the least squares within: values (...) -> bool (...).

    All of them when they do not differ. On the CPU, in float64: sums of a GPU would differ from run to run.
    """
    x = values.flatten().double().cpu().sort().values
    count = torch.arange(1, len(x), dtype=torch.float64)
    low = x.cumsum(0)[:-1]  # sums of the first 1, 2, ... values
    high = x.sum() - low
    # the squares within are all squares less this
    between = low.square() / count + high.square() / (len(x) - count)
    between[x[:-1] == x[1:]] = -torch.inf  # no cut divides equal values
    if not len(between) or between.max() == -torch.inf:
        return torch.ones_like(values, dtype=torch.bool)
    return values > x[between.argmax()].to(values)


def bands(rows: Tensor, k: int) -> Tensor:
    """Equally large bands from top to bottom: the row of each place, int64 (N,) -> band 0..k-1, int64 (N,)."""
    place = torch.empty_like(rows)
    place[rows.argsort(stable=True)] = torch.arange(len(rows), device=rows.device)
    return place * k // max(len(rows), 1)


def k_means(points: Tensor, cluster: Tensor, k: int) -> Tensor:
    """Lloyd's algorithm from a first assignment: points (N, C), cluster int64 (N,) -> int64 (N,), 0..k-1.

    Until nothing changes or for STEPS steps. A cluster that loses all its points gets none back.
    """
    for _ in range(STEPS):
        members = F.one_hot(cluster, k).to(points)  # (N, k)
        count = members.sum(0)
        centres = (members.T @ points) / count[:, None].clamp_min(1)  # (k, C)
        # nearest centre: |p - c|² = |p|² - 2 (p·c - |c|²/2), and |p|² is the same for all centres
        nearness = points @ centres.T - centres.square().sum(1) / 2
        updated = nearness.masked_fill(count == 0, -torch.inf).argmax(1)
        if torch.equal(updated, cluster):
            break
        cluster = updated
    return cluster


def from_top(rows: Tensor, cluster: Tensor, k: int) -> Tensor:
    """The place of each cluster by its mean row, from the top: int64 (k,). Clusters without places come last."""
    count = torch.bincount(cluster, minlength=k).cpu()
    total = torch.stack([rows[cluster == c].sum() for c in range(k)]).cpu()
    mean = torch.where(count > 0, total.double() / count, torch.inf)
    return mean.argsort(stable=True).argsort().to(cluster.device)
