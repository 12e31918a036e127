"""What the tools that are torch networks share.

They use the GPU if there is one, else all cores, so their work runs in one process. Torch is imported by the functions
that run a network: the processes of the other tools should not load it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from torch import nn

READERS = 4  # threads that read images while the network runs

T = TypeVar("T")
N = TypeVar("N", bound="nn.Module")


def batches(paths: list[Path], read: Callable[[Path], T | None], size: int) -> Iterator[tuple[list[int], list[T]]]:
    """Read files in threads, in order: positions in `paths` and what `read` gave, at most `size` at a time.

    Files for which it gave None are left out.
    """
    rows: list[int] = []
    values: list[T] = []
    with ThreadPoolExecutor(READERS) as pool:
        for row, value in zip(count(), pool.map(read, paths)):
            if value is None:
                continue
            rows.append(row)
            values.append(value)
            if len(rows) == size:
                yield rows, values
                rows, values = [], []
    if rows:
        yield rows, values


def ready(network: N) -> N:
    """The network on the GPU if there is one, for inference only."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    network.eval().requires_grad_(False).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network
