"""Whether an exported graph answers as the network does that it was made of."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from partreid.errors import UserError, reason
from partreid.evaluation.distances import DISTANCES, vectors
from partreid.export import graph
from partreid.methods.base import Method

BATCHES = (1, 3, 8)
LEAST = 0.9999  # cosine of a part's vector by both
OFF = 1e-3  # of lengths, and of distances as a share of the largest: far above rounding, far below another photo
TIE = 1e-4  # share of the largest distance; photos nearer to each other than that may change places
ALIKE = 1e-3  # share of the vectors' length: photos that are no further apart than that show nothing


@dataclass(frozen=True)
class Agreement:
    """How far two networks' answers differ on the same photos, over batches of several sizes.

    cosine: the least of any part of any photo. length: the largest difference of a part vector's length, as a share of
    the photos' mean. visibility: whether all are equal. distance: the largest difference of two photos' distance, as a
    share of the largest distance. ranks: share of places of everybody's ranking of everybody that hold the same photo.
    swapped: the largest difference of distance between the photo that is at a place and the one that should be, as a
    share of the largest distance; 0 where all ranks are equal.
    """

    cosine: float
    length: float
    visibility: bool
    distance: float
    ranks: float
    swapped: float

    def good(self) -> bool:
        """Whether the graph may be used in place of the network. What is not a number is not good."""
        near = self.length <= OFF and self.distance <= OFF and self.swapped <= TIE
        return self.cosine >= LEAST and self.visibility and near

    def __str__(self) -> str:
        ranks = "all ranks equal" if self.ranks == 1 else f"{100 * self.ranks:.2f} % of all ranks equal"
        swapped = f", the others' distances {self.swapped:.1e} of the largest apart" if self.ranks < 1 else ""
        return (
            f"least cosine {self.cosine:.7f}, lengths to {self.length:.1e}, "
            f"visibility {'equal' if self.visibility else 'different'}, distances to {self.distance:.1e} of the "
            f"largest, {ranks}{swapped}"
        )


def session(path: Path, threads: int = 0) -> Any:
    """An onnxruntime session on the CPU; threads: 0, one per core.

    UserError when the extra is not installed or the file cannot be run.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise UserError("running ONNX needs onnxruntime: pip install 'partreid[export]'") from error
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own, of no common class
        raise UserError(f"onnxruntime cannot run {path}: {error}") from error


def agreement(opened: Any, method: Method, example: Sequence[Tensor], batches: Sequence[int] = BATCHES) -> Agreement:
    """Compare onnxruntime with torch on photos, in batches of each size. example: as graph.pixels_of gives them.

    UserError where the network sees hardly a difference between the photos: then a graph that mixes them up, or
    answers for the first alone, would pass; and where onnxruntime cannot run a batch.
    """
    network = graph.Network(method.eval())
    with torch.inference_mode():
        images, *labels = example
        wanted = network(images, labels)
    if not apart(wanted[0]):
        raise UserError(
            f"the network sees hardly a difference between the {len(images)} photos that the export is to be checked "
            "on; give photos of different persons"
        )
    found = []
    for size in batches:
        try:
            parts = [graph.embed(opened, some) for some in zip(*(each.split(size) for each in example), strict=True)]
        except Exception as error:  # onnxruntime's own, of no common class
            said = f"{size} at a time: {reason(error)[:500]}"
            raise UserError(f"onnxruntime cannot run the graph on {len(images)} photos, {said}") from error
        features, visibility = (torch.cat(each) for each in zip(*parts, strict=True))
        found.append(compared(wanted, (features, visibility), method.distance))
    return Agreement(
        min(each.cosine for each in found),
        max(each.length for each in found),
        all(each.visibility for each in found),
        max(each.distance for each in found),
        min(each.ranks for each in found),
        max(each.swapped for each in found),
    )


def apart(features: Tensor) -> bool:
    """Whether some two photos' vectors (N, P, D) are further apart than rounding could bring them."""
    flat = features.double().flatten(1)
    return float(torch.cdist(flat, flat).max()) > ALIKE * float(flat.norm(dim=1).mean())


def compared(ours: tuple[Tensor, Tensor], theirs: tuple[Tensor, Tensor], name: str) -> Agreement:
    """Features (N, P, D) and visibility (N, P) of the same photos by torch and by the graph. name: of the distance.

    In float64: in float32 the distances' own rounding would change places of photos that are hardly apart.
    """
    (features, visibility), (found, seen) = (tuple(each.double() for each in pair) for pair in (ours, theirs))
    if found.shape != features.shape or not found.isfinite().all():
        return Agreement(-1.0, torch.inf, False, torch.inf, 0.0, torch.inf)
    lengths, theirs_long = features.norm(dim=2), found.norm(dim=2)
    nothing = (theirs_long < 1e-12) & (lengths < 1e-12)  # two vectors of zeros are equal
    alike = torch.nn.functional.cosine_similarity(found, features, dim=2).masked_fill(nothing, 1)
    distance, by_theirs = (
        DISTANCES[name](every, every) for every in (vectors(features, visibility), vectors(found, seen))
    )
    shared = distance.isfinite() & by_theirs.isfinite()  # some part; where by one alone, the visibility differs
    off = torch.where(shared, by_theirs - distance, 0).abs().max()
    largest = max(float(distance.nan_to_num(posinf=0).max()), 1e-12)
    far = distance.nan_to_num(posinf=2 * largest)  # what shares no part comes last
    order, right = by_theirs.argsort(dim=1, stable=True), distance.argsort(dim=1, stable=True)
    swapped = (far.gather(1, order) - far.gather(1, right)).abs().max()
    return Agreement(
        float(alike.min()),
        float((theirs_long - lengths).abs().max() / lengths.mean()),
        torch.equal(seen, visibility),
        float(off) / largest,
        float((order == right).double().mean()),
        float(swapped) / largest,
    )


def check(path: Path, method: Method, example: Sequence[Tensor]) -> Agreement:
    """UserError, and no file, where a graph does not answer as torch does."""
    try:
        found = agreement(session(path), method, example)
        if not found.good():
            raise UserError(
                f"the exported graph is not the network: {found} (needed: cosine {LEAST}, lengths and distances to "
                f"{OFF}, visibility equal, ranks equal but for distances {TIE} apart); it was removed. Please report "
                "this with the versions of torch, onnx and onnxruntime"
            )
    except BaseException:  # Ctrl-C, too: it is not checked
        path.unlink()
        raise
    return found
