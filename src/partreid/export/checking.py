"""Whether an exported graph answers as the network does that it was made of."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from partreid.errors import UserError
from partreid.evaluation.distances import DISTANCES, vectors
from partreid.export import graph
from partreid.methods.base import Method

BATCHES = (1, 3, 8)
ROUNDING = 1e-5  # of a vector's length
LEAST = 0.9999  # cosine of a part's vector by both
TIE = 1e-4  # share of the largest distance; images nearer to each other than that may change places


@dataclass(frozen=True)
class Agreement:
    """cosine: the least of any part of any photo. visibility: whether all are equal. ranks: share of places of all
    ranking lists that hold the same photo, or one at the same distance but for TIE."""

    cosine: float
    visibility: bool
    ranks: float

    def good(self) -> bool:
        """Whether the graph may be used in place of the network."""
        return self.cosine >= LEAST and self.visibility and self.ranks == 1


def session(path: Path) -> Any:
    """An onnxruntime session on the CPU. UserError when the extra is not installed or the file cannot be run."""
    try:
        import onnxruntime
    except ImportError as error:
        raise UserError("running ONNX needs onnxruntime: pip install 'partreid[export]'") from error
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own, of no common class
        raise UserError(f"onnxruntime cannot run {path}: {error}") from error


def agreement(opened: Any, method: Method, example: Sequence[Tensor], batches: Sequence[int] = BATCHES) -> Agreement:
    """Compare onnxruntime with torch on photos, in batches of each size. example: as graph.pixels_of gives them."""
    network = graph.Network(method.eval())
    with torch.inference_mode():
        images, *labels = example
        features, visibility = network(images, labels)
    cosine, equal, ranks = 1.0, True, 1.0
    for size in batches:
        parts = [graph.embed(opened, some) for some in zip(*(each.split(size) for each in example), strict=True)]
        found, seen = (torch.cat(each) for each in zip(*parts, strict=True))
        alike = torch.nn.functional.cosine_similarity(found.double(), features.double(), dim=2)
        nothing = (found.norm(dim=2) < 1e-12) & (features.norm(dim=2) < 1e-12)  # two vectors of zeros are equal
        cosine = min(cosine, float(alike.masked_fill(nothing, 1).min()))
        equal &= bool(torch.equal(seen, visibility))
        ranks = min(ranks, same_ranks((features, visibility), (found, seen), method.distance))
    return Agreement(cosine, equal, ranks)


def same_ranks(ours: tuple[Tensor, Tensor], theirs: tuple[Tensor, Tensor], name: str) -> float:
    """Share of places of everybody's ranking of everybody that hold the same photo, or one that is as far away.

    In float64: in float32 the distances' own rounding would change places of photos that are hardly apart.
    """
    wanted, found = (
        DISTANCES[name](every, every) for every in (vectors(f.double(), v.double()) for f, v in (ours, theirs))
    )
    finite = wanted.masked_fill(wanted.isinf(), 0)
    far = wanted.nan_to_num(posinf=2 * float(finite.max()) + 1)
    # float32 vectors tell photos apart no better than ROUNDING
    tie = max(TIE * float(far.max()), ROUNDING * (1.0 if name == "cosine" else float(ours[0].norm(dim=2).mean())))
    order = found.argsort(dim=1, stable=True)
    return float((far.gather(1, order) - far.sort(1).values).abs().le(tie).float().mean())


def check(path: Path, method: Method, example: Sequence[Tensor]) -> Agreement:
    """UserError, and no file, where a graph does not answer as torch does."""
    found = agreement(session(path), method, example)
    if not found.good():
        path.unlink()
        raise UserError(
            f"the exported graph is not the network: least cosine {found.cosine:.6f} (at least {LEAST}), visibility "
            f"{'equal' if found.visibility else 'different'}, {100 * found.ranks:.2f} % of all ranks equal; it was "
            "removed. Please report this with the versions of torch, onnx and onnxruntime"
        )
    return found
