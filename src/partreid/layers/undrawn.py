"""Networks whose numbers come from a file: drawing a ResNet-50's at random takes longer than reading them."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

STEADY = ("constant_", "dirac_", "eye_", "ones_", "zeros_")  # of torch.nn.init, what draws nothing
DRAWS = {Tensor.normal_, Tensor.uniform_}
DRAWS |= {value for name, value in vars(nn.init).items() if name[0] != "_" and name[-1] == "_" and name not in STEADY}


class _Undrawn(TorchFunctionMode):
    """Leaves tensors as they are where they would be filled at random."""

    def __torch_function__(
        self, function: Callable[..., Any], types: Sequence[type], args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if function in DRAWS:
            return args[0] if args else kwargs["tensor"]
        return function(*args, **kwargs)


@contextmanager
def undrawn() -> Iterator[None]:
    """Build networks without drawing their random numbers, and leave torch's generator as it is.

    Constants are there; what would be drawn holds whatever the memory held, so load all of it.
    """
    with _Undrawn():
        yield
