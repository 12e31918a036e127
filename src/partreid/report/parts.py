"""Whether parts are really seen: a method's part visibility and attention against what the renderer knows.

For methods whose parts have names that the truth has too, on a data set that was rendered: BPBreID's K parts, the
classes of FSAM's mask, PAH-Net's person. The parts of MPN, PCB and PABR, and PAH-Net's clusters, have no counterpart.

A part is there where its true region has PRESENT of the cells or more; it is said to be seen by the method's own rule.
Overlap is the IoU of the region where the part is the most probable of all, the background among them, and the true
region, over all images together; both at the truth's resolution, maps resized bilinearly.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure as Plot
from torch import Tensor

from partreid.body.parsing import PARSING
from partreid.drawing import plots
from partreid.inputs.batch import Inputs
from partreid.labels import LABELS, pifpaf
from partreid.methods.base import Method
from partreid.methods.bpbreid import BPBreID
from partreid.methods.fsam import FSAM
from partreid.methods.pah import PAH
from partreid.quality.base import ratio
from partreid.quality.pifpaf import strongest
from partreid.quality.schp import HALF, PRESENT
from partreid.report.context import Context, Figure
from partreid.storage.cache import Cache
from partreid.tools import truth
from partreid.tools.base import Images

IMAGES = 256  # of the test, drawn at random
AT_ONCE = 64
MEASURES = ("precision", "recall", "F1", "overlap")
SHARE = "share"  # of the images that show the part: the precision of who calls it seen in all
Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Seen:
    """What a method says of n images. names: of the K parts.

    said: bool (n, K), visible or not; None where the method has no such rule. maps: (n, K + 1, h, w), background first.
    """

    names: tuple[str, ...]
    said: Tensor | None
    maps: Tensor


@dataclass(frozen=True)
class Compared:
    """names: of the parts and, last, mean. values: as measure has them, float64 (K + 1, 5)."""

    names: tuple[str, ...]
    values: np.ndarray


def bpbreid(method: BPBreID, inputs: Inputs) -> Seen:
    """M and Eq. 4."""
    M, _ = method.probabilities(method.feature_map(inputs.images), inputs)
    return Seen(method.groups, method.visible(M, method.visibility_threshold).bool(), M)


def fsam(method: FSAM, inputs: Inputs) -> Seen | None:
    """F_m's classes; one is seen by the rule that the truth is held to. None without F_m."""
    if not method.starts_from:
        return None
    M = method.classes(inputs.images)
    return Seen(PARSING[1:], present(M.argmax(1), len(PARSING) - 1), M)


def pah(method: PAH, inputs: Inputs) -> Seen | None:
    """The person, all parts together. None without the stream of parts."""
    person = method.maps(inputs)
    return Seen(("person",), None, torch.cat([1 - person, person], 1)) if person.shape[1] else None


def present(regions: Tensor, parts: int) -> Tensor:
    """Regions (n, h, w) of numbers 0..parts -> bool (n, parts), which part has PRESENT of the cells or more."""
    shares = torch.stack([(regions == part).float().mean((1, 2)) for part in range(1, parts + 1)], 1)
    return shares >= PRESENT


def measure(found: Seen, true: Tensor) -> np.ndarray:
    """MEASURES and SHARE by part, float64 (K, 5), NaN where there is nothing to measure. true: (n, H, W), 0..K."""
    K = len(found.names)
    ours = F.interpolate(found.maps.float(), true.shape[1:], mode="bilinear").argmax(1)
    there = present(true, K)
    nothing = torch.full((K,), torch.nan)
    both, said = (nothing, nothing) if found.said is None else ((found.said & there).sum(0), found.said.sum(0))
    regions = [(ours == part, true == part) for part in range(1, K + 1)]
    overlap = [(int((a & b).sum()), int((a | b).sum())) for a, b in regions]
    counts = (both, said, there.sum(0))
    tp, positive, real = (np.asarray(each, np.float64) for each in counts)
    iou = ratio(*np.array(overlap, np.float64).T)
    return np.stack([ratio(tp, positive), ratio(tp, real), ratio(2 * tp, positive + real), iou, real / len(true)], 1)


def true_groups(context: Context, method: BPBreID, known: Arrays, sizes: np.ndarray) -> np.ndarray:
    """The regions of BPBreID's parts, drawn as its label draws them."""
    file = LABELS["pifpaf"].file("pifpaf", context.dataset)
    options = Cache(file, "label/pifpaf", context.index).header["parameters"]
    return strongest(pifpaf.make(known["keypoints"], known["person"], sizes, **options), method.variant)


def true_classes(context: Context, method: Method, known: Arrays, sizes: np.ndarray) -> np.ndarray:  # noqa: ARG001
    """Pascal-Person-Part's."""
    return known["parsing"]


def true_person(context: Context, method: Method, known: Arrays, sizes: np.ndarray) -> np.ndarray:  # noqa: ARG001
    """1 where a cell shows the person rather than something else."""
    return known["person"] >= HALF


# what a method says, and the true regions (n, h, w) of the same parts
VIEWS: Mapping[type[Method], tuple[Callable[..., Seen | None], Callable[..., np.ndarray]]] = {
    BPBreID: (bpbreid, true_groups),
    FSAM: (fsam, true_classes),
    PAH: (pah, true_person),
}


def compared(context: Context) -> Compared | None:
    """The measures, where the data set was rendered and the method has parts that the renderer knows."""
    method = context.trained.method
    labels = [LABELS[kind].file(kind, context.dataset) for kind in ("pifpaf",) if isinstance(method, BPBreID)]
    if type(method) not in VIEWS or not all(file.is_file() for file in (context.album.root / "truth.npz", *labels)):
        return None
    found = measured(context, method)
    if found is None:
        return None
    names, values = found
    known = (column[~np.isnan(column)] for column in values.T)
    mean = np.array([column.mean() if len(column) else np.nan for column in known])
    return Compared((*names, "mean"), np.vstack([values, mean]))


def numbers(found: Compared | None) -> dict[str, dict[str, float]]:
    """As written to parts.json: part, or mean -> measure, or share -> value, those that there are."""
    if found is None:
        return {}
    return {
        name: {what: float(value) for what, value in zip((*MEASURES, SHARE), row, strict=True) if np.isfinite(value)}
        for name, row in zip(found.names, found.values, strict=True)
    }


def figures(found: Compared | None) -> list[Figure]:
    """The figure, if there is something to show."""
    if found is None:
        return []
    mean = numbers(found)["mean"]
    told = ", ".join(f"{measure} {mean[measure]:.2f}" for measure in MEASURES if measure in mean)
    share = found.values[:-1, -1]
    always = (
        f" (to call all parts seen in all images: F1 {(2 * share / (1 + share)).mean():.2f})" if "F1" in mean else ""
    )
    return [
        Figure(
            "Parts against the truth",
            f"What the method says of {IMAGES} test images, or all if there are fewer, beside what the renderer knows: "
            "precision, recall and F1 of which parts are seen, and the overlap (IoU) of where the method sees them and "
            f"where they are. Means over the parts: {told}{always}.",
            picture(found.names, found.values),
        )
    ]


def measured(context: Context, method: Method) -> tuple[tuple[str, ...], np.ndarray] | None:
    """Names of the parts, their MEASURES and SHARE (K, 5) over a sample of the test images; None without parts."""
    split = np.array(context.table["split"].to_pylist())
    test = np.flatnonzero(np.isin(split, ("query", "gallery")))
    ids = np.sort(np.random.default_rng(context.seed).permutation(test)[:IMAGES])
    images = Images(context.dataset, context.table.take(ids), "", context.album.root, context.index)
    say, true_regions = VIEWS[type(method)]
    with torch.inference_mode():
        said = [say(method, context.inputs(ids[start : start + AT_ONCE])) for start in range(0, len(ids), AT_ONCE)]
    pieces = [each for each in said if each is not None]
    if not pieces:
        return None
    visible = [each.said for each in pieces if each.said is not None]
    found = Seen(pieces[0].names, torch.cat(visible) if visible else None, torch.cat([each.maps for each in pieces]))
    known = truth.build(images)[1](0, len(ids))
    true = true_regions(context, method, known, images.sizes())
    return found.names, measure(found, torch.from_numpy(true.astype(np.int64)))


def picture(names: tuple[str, ...], values: np.ndarray) -> np.ndarray:
    """Bars of MEASURES by part: RGB uint8 (H, W, 3). values: (parts, 4 or more), NaN for no bar."""
    with mpl.rc_context(plots.STYLE):
        figure = Plot(figsize=(9.0, 3.2), layout="constrained")
        axes = figure.add_subplot()
        shown = [number for number in range(len(MEASURES)) if np.isfinite(values[:, number]).any()]
        for place, number in enumerate(shown):
            x = np.arange(len(names)) + 0.2 * (place - (len(shown) - 1) / 2)
            axes.bar(x, np.nan_to_num(values[:, number]), 0.18, color=plots.COLOURS[number], label=MEASURES[number])
        axes.set_xticks(range(len(names)), [name.replace("_", " ") for name in names])
        axes.set_ylim(0, 1)
        axes.grid(visible=False, axis="x")
        figure.legend(loc="outside upper center", ncols=len(shown))
        return plots.pixels(figure)
