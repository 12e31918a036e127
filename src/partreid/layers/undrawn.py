"""Networks whose numbers come from a file: drawing a ResNet-50's at random takes longer than reading them."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn

from partreid.layers.unfilled import Leaving

STEADY = ("constant_", "dirac_", "eye_", "ones_", "zeros_")  # of torch.nn.init, what draws nothing
DRAWS = {Tensor.normal_, Tensor.uniform_}
DRAWS |= {value for name, value in vars(nn.init).items() if name[0] != "_" and name[-1] == "_" and name not in STEADY}


@contextmanager
def undrawn() -> Iterator[None]:
    """Build networks without drawing their random numbers, and leave torch's generator as it is.

    Constants are there; what would be drawn holds whatever the memory held, so load all of it.
    """
    with Leaving(DRAWS):
        yield
