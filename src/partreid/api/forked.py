"""Forked processes, as Linux's multiprocessing makes them up to Python 3.13.

Where torch has computed with several threads, a fork has none of them but waits for them for ever (GNU's OpenMP). A
fork computes with one thread, as torch's own DataLoader has its workers do.
"""

import os

import torch

_fork = False


def _note() -> None:
    global _fork
    _fork = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note)


def ready() -> None:
    """To be called before a network computes."""
    if _fork and torch.get_num_threads() > 1:
        torch.set_num_threads(1)
