"""GiLt: identity and triplet losses, each on some of the embeddings of a network that sees parts.

Somers, De Vleeschouwer, Alahi: "Body Part-Based Representation Learning for Occluded Person Re-Identification",
WACV 2023, section 3.3. Eq. 6 is the paper's choice, "global identity, local triplet"; its Table 4 tries others, on
BPBreID and on PCB. Embeddings are known by name: holistic ones are (B, D), "parts" is (B, K, D).
"""

from collections.abc import Callable, Mapping, Sequence

from torch import Tensor

from partreid.errors import UserError, choose
from partreid.losses.triplet import Distance, batch_hard, euclidean


def names(identity_on: Sequence[str], triplet_on: Sequence[str], known: Sequence[str]) -> None:
    """Raise a UserError unless both are lists of known embeddings, and one of them has any."""
    for given in (identity_on, triplet_on):
        if not isinstance(given, list | tuple):
            raise UserError(f"identity_on and triplet_on are lists of embeddings, found {given!r}")
    for name in (*identity_on, *triplet_on):
        choose(dict.fromkeys(known), name, "embedding (identity_on, triplet_on)")
    if not identity_on and not triplet_on:
        raise UserError("identity_on and triplet_on are both empty, so persons would not be learned; fill one")


def terms(
    f: Mapping[str, Tensor],
    identity_on: Sequence[str],
    triplet_on: Sequence[str],
    identity: Callable[[str, Tensor], Tensor],
    triplet: Callable[[Tensor], Tensor],
) -> dict[str, Tensor]:
    """L_id and L_tri of Eq. 6, those that there are: each loss summed over the embeddings f[name] that have it."""
    found = {
        "identity": [identity(name, f[name]) for name in identity_on],
        "triplet": [triplet(f[name]) for name in triplet_on],
    }
    return {kind: sum(losses[1:], losses[0]) for kind, losses in found.items() if losses}


def classifiers(identity_on: Sequence[str], parts: int, part_identity: str) -> dict[str, float]:
    """The term `identity` of `terms` -> how many cross-entropies it sums; see methods.base.Learner.

    parts: K. part_identity: whether those on parts are a "mean" or a "sum".
    """
    weights = [parts if name == "parts" and part_identity == "sum" else 1 for name in identity_on]
    return {"identity": sum(weights)} if weights else {}


def part_averaged(
    feature: Tensor, pid: Tensor, margin: float, distance: Distance = euclidean, visible: Tensor | None = None
) -> Tensor:
    """Eq. 7-8: batch hard on the distance averaged over the parts of (B, K, D); on (B, D), on the plain one.

    distance: of losses.triplet.DISTANCES; the paper's is Euclidean. visible: bool (B, K), if given, as in the test's
    Eq. 9 the average is over the parts that two images both show, and images with none in common are not compared.
    """
    distances = distance(_by_part(feature))  # (K, B, B)
    if visible is None:
        return batch_hard(distances.mean(0), pid, margin)
    common = _common(visible)
    mean = (distances * common).sum(0) / common.sum(0).clamp_min(1)
    return batch_hard(mean, pid, margin, common.any(0))


def part_by_part(
    feature: Tensor, pid: Tensor, margin: float, distance: Distance = euclidean, visible: Tensor | None = None
) -> Tensor:
    """A batch-hard loss for each part of (B, K, D) by itself, averaged over the parts (Table 2)."""
    distances = distance(_by_part(feature))
    compared = [None] * len(distances) if visible is None else list(_common(visible))
    losses = [batch_hard(each, pid, margin, pairs) for each, pairs in zip(distances, compared, strict=True)]
    return sum(losses[1:], losses[0]) / len(losses)


PART_TRIPLETS: dict[str, Callable[[Tensor, Tensor, float, Distance, Tensor | None], Tensor]] = {
    "averaged": part_averaged,
    "each": part_by_part,
}


def _common(visible: Tensor) -> Tensor:
    """Which parts (B, K) two images both show: bool (K, B, B)."""
    by_part = visible.T
    return by_part[:, :, None] & by_part[:, None, :]


def _by_part(feature: Tensor) -> Tensor:
    """(B, K, D) -> (K, B, D); (B, D) is one part."""
    return (feature if feature.dim() == 3 else feature[:, None]).transpose(0, 1)
