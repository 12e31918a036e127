"""How each kind of label enters a batch: cached rows -> a tensor that went through the same change as the image.

    kind      tensor of B images                  what it holds
    pifpaf    float32 (B, 36, h, w)               confidences; 0 outside the image and in the hole
    schp      float32 (B, 8, h, w)                a share for each of the seven classes, then the person probability;
                                                  background outside the image; the hole is not cut out
    poses     float32 (B, clusters)               1 for the cluster
    partmaps  float32 (B, C, 20, 10)              C = 57 or 185; outside the image nobody: 1 in the background's
                                                  channel, 0 in all others; the hole is not cut out
    heads     float32 (B, 3, H, W), normalised    the head, cut from the image and resized to the image's own size;
                                                  flipped with the image, erased where the hole covers it; black where
                                                  there is none

Where heads are trained on, `head_boxes` float32 (B, 4) come with them: x0, y0, x1, y1 in shares of the image's width
and height, flipped and shifted with it; NaN where there is none.

A flip exchanges left and right wherever a label tells them apart.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from partreid.body.openpose_layout import BACKGROUND, CHANNEL_MIRROR, CHANNEL_SIGN
from partreid.body.parsing import PARSING
from partreid.body.skeleton import FIELD_MIRROR
from partreid.inputs.augmentation import change_fields, erase_fields
from partreid.layers.constants import constant
from partreid.storage.cache import OK, Cache

HEADS = "heads"  # the one kind that is an image; it is cut where images are read

Stored = Mapping[str, Tensor]


@dataclass(frozen=True)
class Label:
    """A label of N images. values: the cache's members, (N, ...). known: bool (N,), False where it says nothing."""

    values: Mapping[str, np.ndarray]
    known: np.ndarray

    def rows(self, rows: np.ndarray) -> dict[str, Tensor]:
        """The members' rows."""
        return {name: torch.from_numpy(array[rows]) for name, array in self.values.items()}


def read(kind: str, path: Path, table_path: Path, image_ids: np.ndarray) -> Label:
    """The label of the given images of an image table."""
    cache = Cache(path, f"label/{kind}", table_path)
    values = {name: cache.rows(name, image_ids) for name in MEMBERS[kind]}
    if kind == "poses":
        values = {"clusters": np.eye(cache.header["parameters"]["clusters"], dtype=np.uint8)[values["cluster"]]}
    return Label(values, cache.status[image_ids] == OK)


def pifpaf(stored: Stored, changes: Tensor) -> Tensor:
    """See above."""
    return erase_fields(change_fields(stored["fields"], changes, FIELD_MIRROR) / 255, changes)


def schp(stored: Stored, changes: Tensor) -> Tensor:
    """See above."""
    classes = torch.arange(len(PARSING), device=changes.device, dtype=torch.uint8)[:, None, None]
    shares = 255 * (stored["parsing"][:, None] == classes).to(torch.uint8)  # (B, 7, h, w)
    maps = change_fields(torch.cat([shares, stored["person"][:, None]], 1), changes) / 255
    maps[:, 0] += 1 - maps[:, : len(PARSING)].sum(1)  # what came in from outside is background
    return maps


def poses(stored: Stored, changes: Tensor) -> Tensor:
    """See above. Cluster c of an image is cluster k - 1 - c of its mirror image (partreid.labels.poses)."""
    clusters = stored["clusters"].float()
    return torch.where(changes[:, :1] > 0, clusters.flip(1), clusters)


def partmaps(stored: Stored, changes: Tensor) -> Tensor:
    """See above. The inner channels of 185 have no meaning that could be exchanged."""
    channels = stored["maps"].shape[1]
    inner = range(len(CHANNEL_MIRROR), channels)
    moved = change_fields(stored["maps"], changes, (*CHANNEL_MIRROR, *inner))
    sign = constant((*CHANNEL_SIGN, *(1 for _ in inner)), moved.device)
    moved = torch.where(changes[:, :1] > 0, sign, 1)[:, :, None, None] * moved
    outside = 1 - change_fields(torch.ones_like(moved[:, :1]), changes)
    moved[:, BACKGROUND] += outside[:, 0]
    return moved


MEMBERS: dict[str, tuple[str, ...]] = {
    "pifpaf": ("fields",),
    "schp": ("parsing", "person"),
    "poses": ("cluster",),
    "partmaps": ("maps",),
    HEADS: ("x0", "y0", "x1", "y1"),
}
KINDS: dict[str, Callable[[Stored, Tensor], Tensor]] = {
    "pifpaf": pifpaf,
    "schp": schp,
    "poses": poses,
    "partmaps": partmaps,
}


def no_change(count: int) -> Tensor:
    """float32 (count, 7): the changes of images as they are."""
    return torch.zeros(count, 7)


def tensors(labels: Mapping[str, Stored], changes: Tensor) -> dict[str, Tensor]:
    """All kinds of a batch but heads. labels: per kind the stored rows."""
    return {kind: KINDS[kind](stored, changes) for kind, stored in labels.items() if kind != HEADS}
