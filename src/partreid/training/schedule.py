"""The learning rate over training."""

from collections.abc import Sequence


def factor(epoch: float, warmup_epochs: int, warmup_start: float, decay_at: Sequence[int], decay: float) -> float:
    """What the learning rate is multiplied with at `epoch` (0 = before the first batch, 1.5 = halfway the second).

    Linear from warmup_start to 1 over the first warmup_epochs, then times `decay` at every epoch of `decay_at`
    (Bag of Tricks, section 2.1).
    """
    if epoch < warmup_epochs:
        return warmup_start + (1 - warmup_start) * epoch / warmup_epochs
    return decay ** sum(epoch >= step for step in decay_at)
