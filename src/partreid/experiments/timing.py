"""How long alternatives take, side by side in one run: on a busy machine only their ratios mean something."""

import time
from collections.abc import Callable, Mapping


def best(rounds: int, alternatives: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    """Seconds of the fastest of `rounds` runs of each, taking turns."""
    seconds = dict.fromkeys(alternatives, float("inf"))
    for _ in range(rounds):
        for name, alternative in alternatives.items():
            start = time.perf_counter()
            alternative()
            seconds[name] = min(seconds[name], time.perf_counter() - start)
    return seconds
