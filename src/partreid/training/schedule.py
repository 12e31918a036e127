"""The learning rate over training, as a factor of its peak."""

import math
from collections.abc import Mapping, Sequence

SCHEDULES: Mapping[str, None] = dict.fromkeys(("steps", "cosine"))


def factor(
    epoch: float,
    *,
    schedule: str,
    epochs: int,
    warmup_epochs: int,
    warmup_start: float,
    decay_at: Sequence[int],
    decay: float,
    final_rate: float,
) -> float:
    """What the learning rate is multiplied with at `epoch` (0 = before the first batch, 1.5 = halfway the second).

    Linear from warmup_start to 1 over the first warmup_epochs (Bag of Tricks, section 3.1); then, by `schedule`:
    steps: times `decay` at every epoch of `decay_at`;
    cosine: from 1 to final_rate at the end of the last of `epochs`, as half a cosine (PAH-Net, section 4.2).
    """
    if epoch < warmup_epochs:
        return warmup_start + (1 - warmup_start) * epoch / warmup_epochs
    if schedule == "cosine":
        done = (epoch - warmup_epochs) / max(epochs - warmup_epochs, 1)
        return final_rate + (1 - final_rate) * (1 + math.cos(math.pi * min(done, 1))) / 2
    return decay ** sum(epoch >= step for step in decay_at)
