"""What a training has had, and how far its classifiers came: what a reader needs to know before comparing two."""

import math
from collections.abc import Mapping, Sequence

SPENT = ("steps", "images")  # of an epoch: sums, no curves


def spent(
    history: Sequence[Mapping[str, float]], classifiers: Mapping[str, float], identities: int
) -> dict[str, float | None]:
    """epochs, steps, images seen; cross_entropy of one classifier in the last epoch, and chance, what guessing gives.

    history: the means of every epoch, with SPENT. classifiers: see methods.base.Learner; without any, cross_entropy is
    None. chance: ln of the number of identities, in nats as the cross-entropy, whatever the label smoothing.
    """
    count = sum(classifiers.values())
    told = sum(history[-1][name] for name in classifiers) / count if history and count else None
    sums = {name: int(sum(epoch[name] for epoch in history)) for name in SPENT}
    return {"epochs": len(history), **sums, "cross_entropy": told, "chance": math.log(identities)}
