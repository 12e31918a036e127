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
    if isinstance(identity_on, str) or isinstance(triplet_on, str):
        raise UserError("identity_on and triplet_on are lists of embeddings")
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


def part_averaged(feature: Tensor, pid: Tensor, margin: float, distance: Distance = euclidean) -> Tensor:
    """Eq. 7-8: batch hard on the distance averaged over the parts of (B, K, D); on (B, D), on the plain one.

    distance: of losses.triplet.DISTANCES; the paper's is Euclidean.
    """
    return batch_hard(distance(_by_part(feature)).mean(0), pid, margin)


def part_by_part(feature: Tensor, pid: Tensor, margin: float, distance: Distance = euclidean) -> Tensor:
    """A batch-hard loss for each part of (B, K, D) by itself, averaged over the parts (Table 2)."""
    losses = [batch_hard(distances, pid, margin) for distances in distance(_by_part(feature))]
    return sum(losses[1:], losses[0]) / len(losses)


PART_TRIPLETS: dict[str, Callable[[Tensor, Tensor, float, Distance], Tensor]] = {
    "averaged": part_averaged,
    "each": part_by_part,
}


def _by_part(feature: Tensor) -> Tensor:
    """(B, K, D) -> (K, B, D); (B, D) is one part."""
    return (feature if feature.dim() == 3 else feature[:, None]).transpose(0, 1)
