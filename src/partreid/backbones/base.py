"""What every backbone is."""

from torch import nn

from partreid.errors import UserError


class Backbone(nn.Module):
    """Image (B, 3, H, W) -> feature map (B, channels, H / stride, W / stride)."""

    channels: int
    stride: int
    weights: str | None = None  # whose published file it loads, if not that of its own name
    unused: tuple[str, ...] = ("classifier.", "fc.")  # what it does without of that file, by the names' beginnings

    def split(self) -> tuple[nn.Module, nn.Module]:
        """The front and the tail, which one after the other are the backbone, for networks with several tails.

        The parts are shared with the backbone. UserError where none is known that leaves both halves enough to do.
        """
        raise UserError(f"backbone {type(self).__name__} has no front and tail; osnet_x1_0 and mobilenet_v2 have")
