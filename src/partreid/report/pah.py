"""PAH-Net's own pictures: what adversarial erasing takes away (Figures 4 and 6 of the paper), the parts that it finds
by itself, and the pseudo-labels they are learned from (Figure 7)."""

from typing import cast

import numpy as np
import torch
from torch import Tensor

from partreid.backbones.fork import Fork
from partreid.drawing.colours import PART_COLOURS
from partreid.drawing.label_marks import box, heat, numbered, panel
from partreid.inputs.batch import Inputs
from partreid.inputs.images import MEAN, STD
from partreid.labels import made
from partreid.methods.pah import PAH
from partreid.report import sheets
from partreid.report.context import Context, Figure
from partreid.report.sheets import Cell, Row
from partreid.storage import image_table
from partreid.storage.cache import OK, Cache

LABELLED = 12  # training images whose pseudo-labels are shown
A_ROW = 6  # of them beside each other


def figures(context: Context) -> list[Figure]:
    """What the streams that the test compares have to show."""
    method = context.method(PAH)
    with torch.inference_mode():
        inputs = context.inputs(context.image_ids)
        images = [context.album.image(image_id) for image_id in context.image_ids.tolist()]
        found = []
        if {"global", "head"} & set(method.compared):
            found.append(erasing(method, inputs))
        if "parts" in method.compared:
            found.append(own_parts(method, inputs, images))
        labels = made.file("pseudo_parts", context.dataset)
        # a test on another data set has nothing to show of the training images; weights may come without the labels
        if "parts" in method.compared and context.dataset == context.trained.header["dataset"] and labels.is_file():
            found.append(pseudo_labels(context, Cache(labels, "label/pseudo_parts", context.index)))
    return found


def erasing(method: PAH, inputs: Inputs) -> Figure:
    """Of body and head: the image, the energy of its features, and the image without the rows that are erased."""
    F_dense = method.dense(inputs.images) if method.finds_head else None
    columns, cells = [], []
    for stream in [stream for stream in ("global", "head") if stream in method.compared]:
        images = method.head_images(inputs, F_dense) if stream == "head" else inputs.images
        fork = cast(Fork, method.backbone[stream])
        F_22 = method.feature_map(method.feature_map(images, fork.front), fork.tail_2)
        energy, kept = F_22.square().sum(1).numpy(), method.kept(F_22).numpy() > 0
        columns += ["head" if stream == "head" else "image", "energy", "erased"]
        cells.append([erased(photo(image), *about) for image, *about in zip(images, energy, kept, strict=True)])
    rows = [Row("", (), [Cell(picture, None) for part in row for picture in part]) for row in zip(*cells, strict=True)]
    where = " and ".join(method.erase_in) or "no"
    return Figure(
        "Adversarial erasing",
        "The network's input, the sum of its squared activations in the second branch, and the rows that the third "
        f"vector does without, as in Figures 4 and 6 of the paper. Erasing is on in {where} stream"
        f"{'s' if len(method.erase_in) != 1 else ''}.",
        sheets.sheet(rows, columns),
    )


def erased(image: np.ndarray, energy: np.ndarray, kept: np.ndarray) -> list[np.ndarray]:
    """The image uint8 (H, W, 3), with its energy (h, w) over it, and black in the rows that bool (h,) does not keep."""
    row = (np.arange(len(image)) + 0.5) * len(kept) / len(image)
    dark = np.where(kept[row.astype(int), None, None], image, 0).astype(np.uint8)
    return [image, heat(image, energy / max(float(energy.max()), 1e-12)), dark]


def photo(image: Tensor) -> np.ndarray:
    """A network's input (3, H, W) as uint8 RGB (H, W, 3)."""
    colours = image.permute(1, 2, 0).cpu().numpy() * np.array(STD) + np.array(MEAN)
    return np.rint(255 * colours.clip(0, 1)).astype(np.uint8)


def own_parts(method: PAH, inputs: Inputs, images: list[np.ndarray]) -> Figure:
    """The most probable part of each place of test images, and, where the network finds the head, its box."""
    F_dense = method.dense(inputs.images)
    best = method.W_part(F_dense).argmax(1).numpy().astype(np.uint8)
    boxes = method.own_boxes(F_dense).numpy() if method.finds_head else None
    cells = []
    for row, image in enumerate(images):
        shown = panel(image)
        drawn = numbered(shown, best[row])
        if boxes is not None:
            drawn = box(drawn, boxes[row] * ([shown.shape[1], shown.shape[0]] * 2), PART_COLOURS["head"])
        cells += [Cell(shown, None, gap=True), Cell(drawn, None)]
    also = " The box is where it takes the head from." if method.finds_head else ""
    return Figure(
        "Parts found without labels",
        f"The part that the network thinks most probable at each place, background left as it is.{also}",
        sheets.sheet(lines(cells, 2 * A_ROW)),
    )


def pseudo_labels(context: Context, cache: Cache) -> Figure:
    """Training images with the pseudo-labels of the last epoch."""
    ids = np.flatnonzero(cache.status == OK)
    pids = image_table.integers(context.table, "pid")[ids]
    random = np.random.default_rng(context.seed)
    persons = random.permutation(np.unique(pids))[: LABELLED // 2]
    chosen = np.concatenate([random.permutation(ids[pids == pid])[:2] for pid in persons])
    cells = []
    for image_id, maps in zip(chosen.tolist(), cache.rows("maps", chosen), strict=True):
        shown = panel(context.album.image(image_id))
        cells += [Cell(shown, None, gap=True), Cell(numbered(shown, maps), None)]
    return Figure(
        "Pseudo-labels",
        f"Training images and the clusters of their features in epoch {cache.header['parameters']['epoch']}, two of "
        "each person, numbered from top to bottom, as in Figure 7 of the paper.",
        sheets.sheet(lines(cells, 2 * A_ROW)),
    )


def lines(cells: list[Cell], length: int) -> list[Row]:
    """Cells in rows of a length."""
    return [Row("", (), cells[start : start + length]) for start in range(0, len(cells), length)]
