"""What every backbone is."""

from torch import nn


class Backbone(nn.Module):
    """Image (B, 3, H, W) -> feature map (B, channels, H / stride, W / stride)."""

    channels: int
    stride: int = 16
