"""A GPU of its own for each of several trainings that run at once: `make compare jobs=N`.

Every stage that DVC's workers start takes the first free of N places, a locked file, for as long as it lives; place i
computes on GPU i, or, with more jobs than GPUs, on i modulo their number. PARTREID_JOBS says how many jobs there are.
"""

import fcntl
import os
from typing import TextIO

from partreid.storage.files import scratch_root

VARIABLE = "PARTREID_JOBS"
_held: list[TextIO] = []  # the system frees the place when the process ends, however it ends


def jobs() -> int:
    """How many trainings run at once on this machine."""
    return int(os.environ.get(VARIABLE, "1"))


def own(cards: int) -> int:
    """The number of this process's GPU, of 0 .. cards - 1; the same whenever it is asked for."""
    if jobs() == 1:
        return 0
    if not _held:
        _held.append(_place())
    return int(_held[0].name.rpartition("-")[2]) % cards


def _place() -> TextIO:
    folder = scratch_root() / "cards"
    folder.mkdir(parents=True, exist_ok=True)
    number = 0
    while True:  # more than N at once, as while one ends and its follower begins, take further places
        file = (folder / f"place-{number}").open("w")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            number += 1
            continue
        return file
