"""Networks without numbers: what a network consists of, in no time and memory."""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

FILLS = {Tensor.normal_, Tensor.uniform_, Tensor.fill_, Tensor.zero_}  # what all of torch.nn.init comes down to
FILLS |= {value for name, value in vars(nn.init).items() if name.endswith("_") and callable(value)}


class Leaving(TorchFunctionMode):
    """Leaves tensors as they are where one of the functions would fill them."""

    def __init__(self, functions: Collection[Any]):
        super().__init__()
        self.functions = functions

    def __torch_function__(
        self, function: Callable[..., Any], types: Sequence[type], args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if function in self.functions:
            return args[0] if args else kwargs["tensor"]
        return function(*args, **kwargs)


@contextmanager
def unfilled() -> Iterator[None]:
    """Build networks on torch's meta device, where tensors have shapes and types and no values.

    Drawing random numbers there would draw nothing, but torch imports its compiler to do so, which takes seconds.
    """
    with torch.device("meta"), Leaving(FILLS):
        yield
