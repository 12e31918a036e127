"""MPN's pictures: what each part's classifier looks at, and where its coarse prior sees the body, as in figure 5."""

from collections.abc import Sequence

import numpy as np
import torch

from partreid.inputs import kinds
from partreid.labels import LABELS
from partreid.methods.mpn import MPN
from partreid.methods.mpn_prior import Limits, Prior, whole_bodies
from partreid.report import gradcam
from partreid.report.context import Context, Figure
from partreid.report.sheets import Cell, Row, sheet
from partreid.storage.image_table import integers, select

DARK, LINE = 0.3, (255, 255, 255)  # what is left of a cell outside the body; the strips' borders
STRIDE = 512  # labels read at a time


def figures(context: Context) -> list[Figure]:
    """Grad-CAM, and the prior where the method learns by one whose label is on this disk."""
    method = context.method(MPN)
    found = gradcam.figures(context)
    file = LABELS["schp"].file("schp", context.dataset)
    if method.prior is None or not method.labels or not file.is_file():
        return found
    labels = kinds.read("schp", file, context.index, context.image_ids)
    rows = np.arange(len(context.image_ids))
    schp, known = kinds.schp(labels.rows(rows), kinds.no_change(len(rows))), torch.from_numpy(labels.known)
    size = (context.trained.height // method.backbone.stride, context.trained.width // method.backbone.stride)
    thumbs = [context.album.thumb(image_id) for image_id in context.image_ids.tolist()]
    drawn = picture(thumbs, method.prior(schp, known, size, method.limits), method.parts)
    ids = integers(select(context.table, "train"), "image_id")
    learned = kinds.read("schp", file, context.index, ids)
    told = f" {told_share(divided_evenly(learned, method.limits))}" if len(ids) else ""
    caption = (
        "The coarse prior on test images, as in figure 5 of MPN's paper: dark is outside the body's mask, and lines "
        f"divide the body into strips.{told}"
    )
    return [*found, Figure("Where the coarse prior sees the body", caption, drawn)]


def divided_evenly(labels: kinds.Label, limits: Limits) -> np.ndarray:
    """Which images are divided evenly as a whole, for want of a head, a leg or a label: bool (N,)."""
    found = ~labels.known
    for start in range(0, len(found), STRIDE):
        rows = np.arange(start, min(start + STRIDE, len(found)))
        schp = kinds.schp(labels.rows(rows), kinds.no_change(len(rows)))
        found[rows] |= ~whole_bodies(schp, limits).numpy()
    return found


def told_share(even: np.ndarray) -> str:
    """The share of training images that fall back, in words."""
    return (
        f"Of the {len(even):,} training images {even.sum():,} ({100 * even.mean():.1f} %) show no head or no leg, or "
        "have no label: they are divided evenly, and teach nothing of where the body is."
    )


def picture(thumbs: Sequence[np.ndarray], prior: Prior, parts: int) -> np.ndarray:
    """Each image beside itself with the prior drawn on. thumbs: RGB uint8 (H, W, 3). Returns RGB uint8."""
    rows = []
    for thumb, mask, top, bottom in zip(thumbs, prior.mask, prior.top.tolist(), prior.bottom.tolist(), strict=True):
        rows.append(Row("", (), [Cell(thumb, None), Cell(drawn(thumb, mask.numpy(), top, bottom, parts), None)]))
    return sheet(rows, ("image", "prior"))


def drawn(image: np.ndarray, mask: np.ndarray, top: int, bottom: int, parts: int) -> np.ndarray:
    """mask (h, w) over an image (H, W, 3), and the borders of the strips of rows top..bottom of the h."""
    height, width = image.shape[:2]
    h, w = mask.shape
    rows, columns = np.arange(height) * h // height, np.arange(width) * w // width
    result = np.rint(image * np.where(mask[rows][:, columns, None] > 0, 1, DARK)).astype(np.uint8)
    first, last = top * height / h, (bottom + 1) * height / h
    for border in np.linspace(first, last, parts + 1):
        result[min(round(border), height - 1)] = LINE
    return result
