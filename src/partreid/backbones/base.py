"""What every backbone is."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from torch import Tensor, nn

from partreid.errors import UserError


class Backbone(nn.Module):
    """Image (B, 3, H, W) -> feature map (B, channels, H / stride, W / stride)."""

    channels: int
    stride: int
    # whose published file it loads, if not that of its own name; "": none is published, it starts at random
    weights: str | None = None
    unused: tuple[str, ...] = ("classifier.", "fc.")  # what it does without of that file, by the names' beginnings

    def split(self) -> tuple[nn.Module, nn.Module]:
        """The front and the tail, which one after the other are the backbone, for networks with several tails.

        The parts are shared with the backbone. UserError where none is known that leaves both halves enough to do.
        """
        raise UserError(f"backbone {type(self).__name__} has no front and tail; osnet_x1_0 and mobilenet_v2 have")

    def early(self) -> Sequence[nn.Module]:
        """The layers up to stride 4, in order. UserError where they are not known."""
        raise UserError(f"which layers of backbone {type(self).__name__} come first is not known; use freeze: none")


class Blocks(Backbone, ABC):
    """A backbone that is a stem and blocks in a row, for methods that look at every block's output."""

    @abstractmethod
    def stem(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W) -> what the first block takes."""

    @abstractmethod
    def blocks(self) -> Sequence[nn.Module]:
        """The blocks in order: at strides 4, 8, 16 and, because the last one is not strided, 16 again."""

    def block_maps(self, images: Tensor) -> list[Tensor]:
        """The output of every block."""
        maps = [self.stem(images)]
        for block in self.blocks():
            maps.append(block(maps[-1]))
        return maps[1:]

    def forward(self, images: Tensor) -> Tensor:
        return self.block_maps(images)[-1]
