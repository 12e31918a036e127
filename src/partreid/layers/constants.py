"""Small tables of numbers on the device that a tensor lies on, copied there once.

A copy from the host in the middle of a step would let the host wait for the device, and cannot be part of a CUDA graph.
"""

from functools import cache

import torch
from torch import Tensor


@cache
def constant(values: tuple[float, ...] | tuple[int, ...], device: torch.device) -> Tensor:
    """float32 or int64 (n,), as the values are; not to be written to."""
    with torch.inference_mode(False):  # else one that a test made first could not be used in training
        return torch.tensor(values, device=device)
