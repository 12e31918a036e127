"""Grad-CAM for each part's classifier: where an image makes the classifier say what it says.

Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization", ICCV 2017,
section 3: the feature map's channels, weighted by the mean gradient of the winning class's score, without what speaks
against it.
MPN's paper shows them part by part (figures 8 and 9). The classes are training identities; a test image shows none of
them, so the winner is whoever of them the part resembles most.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from partreid.drawing.label_marks import heat
from partreid.inputs.images import load_images
from partreid.methods.mpn import MPN
from partreid.methods.pcb import PCB
from partreid.report.context import Context, Figure
from partreid.report.sheets import Cell, Row, sheet


def maps(features: Tensor, part_logits: Callable[[Tensor], Tensor], part_rows: Tensor) -> Tensor:
    """Where each part's winning class has its evidence: (B, K, h, w) in 0..1, each map divided by its maximum.

    features: F, (B, C, h, w). part_logits: F -> (B, K, classes), each image for itself. part_rows: bool (K, h), the
    rows that each part sees; there is no evidence in others, whatever their channels hold.
    """
    with torch.enable_grad():
        features = features.detach().requires_grad_()
        winners = part_logits(features).amax(2)  # (B, K)
        found = []
        for k in range(winners.shape[1]):
            (gradient,) = torch.autograd.grad(winners[:, k].sum(), features, retain_graph=True)
            weight = gradient.mean((2, 3), keepdim=True)  # alpha, Eq. 1
            found.append((weight * features).sum(1).relu().detach())  # Eq. 2
    cams = torch.stack(found, 1) * part_rows[:, :, None]
    return cams / cams.amax((2, 3), keepdim=True).clamp_min(1e-12)


def picture(thumbs: Sequence[np.ndarray], cams: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """A row for each image with its maps beside it. thumbs: B images. cams: (B, K, h, w). Returns RGB uint8."""
    rows = [
        Row("", (), [Cell(thumb, None), *(Cell(heat(thumb, cam), None) for cam in of_image)])
        for thumb, of_image in zip(thumbs, cams, strict=True)
    ]
    return sheet(rows, ["image", *names])


def figures(context: Context) -> list[Figure]:
    """For methods whose parts have classifiers: MPN and PCB."""
    trained, album, ids = context.trained, context.album, context.image_ids.tolist()
    method = trained.method
    if not isinstance(method, MPN | PCB):
        raise TypeError(f"{type(method).__name__} has no classifier for each part")
    images = load_images(album.root, [album.paths[image_id] for image_id in ids], trained.height, trained.width)
    with torch.no_grad():
        features = method.feature_map(images)
    cams = maps(features, method.part_logits, method.part_rows(features.shape[2])).numpy()
    caption = (
        "Grad-CAM of each part's classifier on test images, as in figures 8 and 9 of MPN's paper: where the part finds "
        "evidence for the training person it resembles most. Every map is scaled to its own maximum."
    )
    drawn = picture([album.thumb(image_id) for image_id in ids], cams, method.part_names())
    return [Figure("What each part's classifier looks at", caption, drawn)]
