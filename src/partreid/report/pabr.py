"""PABR's pictures: appearance and part maps as colours, as in the paper's figure 4, and a map of local descriptors, as
in figure 3.

The descriptors are those of appendix A.1: normalised by section 3.2, the local descriptor at (x, y) divided by the
square root of the length of the image's vector f.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import matplotlib as mpl
import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure as Drawing

from partreid.body.openpose_layout import JOINTS
from partreid.drawing import plots
from partreid.drawing.colours import PART_COLOURS
from partreid.inference import BATCH
from partreid.inputs import kinds
from partreid.labels import LABELS
from partreid.methods.pabr import PABR
from partreid.report.context import Context, Figure
from partreid.report.sheets import HEIGHT, WIDTH, Cell, Row, sheet
from partreid.storage.image_table import integers

IMAGES = 256  # test images whose descriptors are looked at
POINTS, FEWEST = 1500, 100  # descriptors in the map; with fewer there is none
PERSONS, EACH = 4, 3  # rows of the maps' picture, images of a row
MIN_PEAK = 0.5  # a cell is on a part when one of the part's joints is that near

GROUPS = {  # figure 3 has no legend; these are the parts it speaks of
    "head": ("nose", "right_eye", "left_eye", "right_ear", "left_ear"),
    "torso": ("neck", "right_shoulder", "left_shoulder", "right_hip", "left_hip"),
    "arms": ("right_elbow", "right_wrist", "left_elbow", "left_wrist"),
    "legs": ("right_knee", "left_knee"),
    "feet": ("right_ankle", "left_ankle"),
}


@dataclass(frozen=True)
class Projection:
    """A linear map from descriptors to colours. mean: (c,). axes: (c, 3). low, high: (3,), what is 0 and what is 1."""

    mean: np.ndarray
    axes: np.ndarray
    low: np.ndarray
    high: np.ndarray


def projection(descriptors: np.ndarray) -> Projection:
    """Of descriptors (n, c): their top three principal components, the middle 98 % of each spread over 0..1."""
    mean = descriptors.mean(0)
    centred = (descriptors - mean).astype(np.float64)
    axes = np.linalg.eigh(centred.T @ centred)[1][:, :-4:-1]  # eigenvalues ascend
    axes *= np.sign(axes[np.abs(axes).argmax(0), np.arange(axes.shape[1])])  # their sign is anybody's choice
    low, high = np.percentile(centred @ axes, [1, 99], axis=0)
    return Projection(mean, axes, low, high)


def colours(descriptors: np.ndarray, p: Projection) -> np.ndarray:
    """Descriptors (..., c) as RGB uint8 (..., 3)."""
    values = ((descriptors - p.mean) @ p.axes - p.low) / np.maximum(p.high - p.low, 1e-12)
    return np.rint(255 * values.clip(0, 1)).astype(np.uint8)


def parts(maps: np.ndarray, cells: tuple[int, int]) -> np.ndarray:
    """Which of GROUPS each of h x w cells is on, by part maps (n, >= 57, 20, 10): int (n, h, w), -1 for none."""
    joints = F.adaptive_max_pool2d(torch.from_numpy(maps[:, 38:56]).float(), cells).numpy()
    groups = np.stack([joints[:, [JOINTS.index(name) for name in names]].max(1) for names in GROUPS.values()], 1)
    return np.where(groups.max(1) > MIN_PEAK, groups.argmax(1), -1)


def figures(context: Context) -> list[Figure]:
    """Both pictures; the second where the part maps, which name the parts, are on this disk."""
    method, table = context.method(PABR), context.table
    pids = integers(table, "pid")
    test = np.flatnonzero(np.isin(table["split"].to_pylist(), ("query", "gallery")) & (pids > 0))
    shown = persons(pids, test, context.image_ids)
    others = np.random.default_rng(context.seed).permutation(np.setdiff1d(test, shown))[: IMAGES - shown.size]
    image_ids = np.concatenate([shown.ravel(), others])
    found = descriptors(context, method, image_ids)
    names = [name for name, each in zip(("appearance", "part"), found, strict=True) if each.shape[3]]
    maps = [colours(each, projection(each.reshape(-1, each.shape[3]))) for each in found if each.shape[3]]
    thumbs = [context.album.thumb(image_id) for image_id in shown.ravel().tolist()]
    count = f"over {len(image_ids):,} test images"
    result = [
        Figure(
            "Appearance and part maps",
            f"The local descriptors of each cell by their top three principal components {count}, as red, green and "
            "blue; a person per row. Like colours are like descriptors. After figure 4 of the paper.",
            map_sheet(thumbs, [each[: shown.size] for each in maps], names, shown.shape[1]),
        )
    ]
    file = LABELS["partmaps"].file("partmaps", context.dataset)
    if file.is_file():
        label = kinds.read("partmaps", file, context.index, image_ids)
        on = parts(label.values["maps"], (found[0].shape[1], found[0].shape[2]))
        places = np.argwhere(on >= 0)
        places = places[np.random.default_rng(context.seed).permutation(len(places))[:POINTS]]
        if len(places) >= FEWEST:
            at = tuple(places.T)
            result.append(
                Figure(
                    "Local descriptors",
                    f"t-SNE of {len(places):,} of them {count}, each in the colour of the body part it comes from by "
                    "the label partmaps. After figure 3 of the paper.",
                    scatter([each[at] for each in found if each.shape[3]], on[at], names, context.seed),
                )
            )
    return result


def persons(pids: np.ndarray, test: np.ndarray, image_ids: np.ndarray) -> np.ndarray:
    """Image ids (persons, images): of the first persons in image_ids who have EACH test images or more."""
    rows: list[list[int]] = []
    for image_id in image_ids.tolist():
        of_person = test[pids[test] == pids[image_id]]
        rest = of_person[of_person != image_id]
        if len(rest) >= EACH - 1 and len(rows) < PERSONS:
            rows.append([image_id, *rest[np.linspace(0, len(rest) - 1, EACH - 1).astype(int)]])
    return np.array(rows or [[image_id] for image_id in image_ids[:PERSONS]], np.int64)


def descriptors(context: Context, method: PABR, image_ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Normalised local descriptors of appearance and part: float32 (n, h, w, cA) and (n, h, w, cP)."""
    result: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    for start in range(0, len(image_ids), BATCH):
        with torch.inference_mode():
            streams = method.streams(context.inputs(image_ids[start : start + BATCH]))
            scale = method.pooling(*streams).norm(dim=1).clamp_min(1e-12).sqrt()[:, None, None, None]
        for values, stream in zip(result, streams, strict=True):
            values.append((stream / scale).permute(0, 2, 3, 1).numpy())
    return np.concatenate(result[0]), np.concatenate(result[1])


def map_sheet(thumbs: Sequence[np.ndarray], maps: Sequence[np.ndarray], names: Sequence[str], each: int) -> np.ndarray:
    """Rows of `each` images with their maps beside them. maps: per kind, uint8 (n, h, w, 3). names: of the kinds."""
    rows = []
    words = ("image", *names)
    for first in range(0, len(thumbs), each):
        cells = []
        for image in range(first, min(first + each, len(thumbs))):
            large = [cv2.resize(m[image], (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR) for m in maps]
            pictures = zip(words, (thumbs[image], *large), strict=True)
            cells += [Cell(picture, None, word, gap=word == "image" and image > first) for word, picture in pictures]
        rows.append(Row("", (), cells))
    return sheet(rows)


def scatter(found: Sequence[np.ndarray], kind: np.ndarray, names: Sequence[str], seed: int) -> np.ndarray:
    """t-SNE of kinds of descriptors, each (n, c), called `names`; kind: (n,), their part. RGB uint8 (H, W, 3)."""
    from sklearn.manifold import TSNE  # here: it takes a second, and every report knows all methods' pictures

    with mpl.rc_context({**plots.STYLE, "axes.grid": False}):
        figure = Drawing(figsize=(4.6 * len(found), 4.6), layout="constrained")
        for number, (name, values) in enumerate(zip(names, found, strict=True)):
            points = TSNE(init="pca", random_state=seed).fit_transform(values)
            axes = figure.add_subplot(1, len(found), number + 1, xticks=[], yticks=[], title=f"{name} descriptors")
            for group, part in enumerate(GROUPS):
                x, y = points[kind == group].T
                axes.scatter(x, y, 7, [tuple(np.array(PART_COLOURS[part]) / 255)], label=part, linewidths=0)
            axes.spines[:].set_visible(False)
        figure.axes[0].legend(markerscale=2.5, loc="best", fontsize=9)
        return plots.pixels(figure)
