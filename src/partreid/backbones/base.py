"""What every backbone is."""

from torch import nn


class Backbone(nn.Module):
    """Image (B, 3, H, W) -> feature map (B, channels, H / stride, W / stride)."""

    channels: int
    stride: int
    weights: str | None = None  # whose published file it loads, if not that of its own name
    unused: tuple[str, ...] = ("classifier.", "fc.")  # what it does without of that file, by the names' beginnings
