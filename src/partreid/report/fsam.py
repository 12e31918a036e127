"""FSAM's pictures: coarse masks against fine ones, as in the paper's figure 3, and pose clusters, as in figure 4."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from partreid.backbones.parser import coarse
from partreid.body.parsing import PARSING
from partreid.drawing.colours import PART_COLOURS
from partreid.drawing.label_panels import centre
from partreid.inputs import kinds
from partreid.labels import LABELS
from partreid.methods.fsam import FSAM
from partreid.report import gather
from partreid.report.context import Context, Figure
from partreid.report.sheets import Cell, Row, sheet
from partreid.storage.cache import Cache
from partreid.storage.image_table import integers, select

PAINTS = np.array([(0, 0, 0), *(PART_COLOURS[name] for name in PARSING[1:])], np.float32)
LOST, GAINED = np.array((86, 180, 233), np.float32), np.array((230, 159, 0), np.float32)
EXAMPLES = 6  # images of a cluster


def figures(context: Context) -> list[Figure]:
    """Figure 3 where the method learns masks, figure 4 where it has poses; each where its label is on this disk.

    The appearance stream alone, the paper's baseline, has neither.
    """
    method = context.method(FSAM)
    found: list[Figure] = []
    schp, poses = (LABELS[kind].file(kind, context.dataset) for kind in ("schp", "poses"))
    if method.shape == "fine" and not method.alone and schp.is_file():
        found.append(_masks(context, method, kinds.read("schp", schp, context.index, context.image_ids)))
    if method.by_pose and poses.is_file():
        found.append(_poses(context, Cache(poses, "label/poses", context.index)))
    return found


def painted(classes: np.ndarray) -> np.ndarray:
    """Probabilities of the seven classes (7, h, w) as a mixture of their colours, background black: uint8 (h, w, 3)."""
    return np.rint(np.tensordot(classes, PAINTS, (0, 0)).clip(0, 255)).astype(np.uint8)


def changed(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Where a body (h, w), 0..1, was lost (blue) and gained (orange), on white: uint8 (h, w, 3)."""
    change = (after - before)[..., None]
    ink = np.where(change < 0, LOST, GAINED)
    return np.rint(255 + np.abs(change).clip(0, 1) * (ink - 255)).astype(np.uint8)


def masks(images: Sequence[np.ndarray], before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """A row per image: the image, its coarse and its fine mask (n, 7, h, w), and what changed."""
    rows = []
    for image, rough, fine in zip(images, before, after, strict=True):
        drawn = (image, painted(rough), painted(fine), changed(1 - rough[0], 1 - fine[0]))
        rows.append(Row("", (), [Cell(each, None) for each in drawn]))
    return sheet(rows, ("image", "coarse", "fine", "change"))


def clusters(centres: np.ndarray, counts: Sequence[int], examples: Mapping[int, Sequence[np.ndarray]]) -> np.ndarray:
    """A row per cluster: its centre (17, 2), how many images it has, and examples of them."""
    rows = []
    for number, points in enumerate(centres):
        cells = [Cell(centre(points), None), *(Cell(image, None) for image in examples[number])]
        rows.append(Row(f"Cluster {number}", (f"{counts[number]:,} images",), cells))
    return sheet(rows)


def _masks(context: Context, method: FSAM, label: kinds.Label) -> Figure:
    trained, album = context.trained, context.album
    inputs = gather.inputs(trained, album, {"schp": label}, context.image_ids)
    with torch.inference_mode():
        fine = method.classes(inputs.images).numpy()
    rough = coarse(inputs.labels["schp"], (trained.height, trained.width)).numpy()
    return Figure(
        "Coarse and fine masks",
        "What the parsing tool said, and what F_m says after it learned from identities too, over test images: each "
        "class in its colour, mixed by probability. Change: blue where the body was lost, orange where it was gained. "
        "After figure 3 of the paper.",
        masks([album.thumb(image_id) for image_id in context.image_ids], rough, fine),
    )


def _poses(context: Context, cache: Cache) -> Figure:
    image_ids = integers(select(context.table, "train"), "image_id")
    cluster = cache.rows("cluster", image_ids)
    generator = np.random.default_rng(context.seed)
    centres = np.array(cache.header["centres"])
    inside = {number: image_ids[cluster == number] for number in range(len(centres))}
    chosen = {number: generator.permutation(ids)[:EXAMPLES] for number, ids in inside.items()}
    return Figure(
        "Pose clusters",
        "The centres of the clusters that choose the shape stream's last block, in units of the stature, and training "
        "images of each, drawn at random. After figure 4 of the paper.",
        clusters(
            centres,
            [len(ids) for ids in inside.values()],
            {number: [context.album.thumb(int(image_id)) for image_id in ids] for number, ids in chosen.items()},
        ),
    )
