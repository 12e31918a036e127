"""How long alternatives take, side by side in one run: on a busy machine only their ratios mean something."""

import time
from collections.abc import Callable, Mapping


def best(
    rounds: int, alternatives: Mapping[str, Callable[[], object]], clock: Callable[[], float] = time.perf_counter
) -> dict[str, float]:
    """Seconds of the fastest of `rounds` runs of each, taking turns. clock: or time.process_time, of this process."""
    seconds = dict.fromkeys(alternatives, float("inf"))
    for _ in range(rounds):
        for name, alternative in alternatives.items():
            start = clock()
            alternative()
            seconds[name] = min(seconds[name], clock() - start)
    return seconds
