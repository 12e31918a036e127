"""MobileNetV2 with last stride 1, the backbone of the laptop recipe, and the same with features of four resolutions.

Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", CVPR 2018, table 2. Parameters carry
torchvision's names. As in our ResNet-50 the last strided stage keeps the resolution, so the network has stride 16.
"""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from partreid.backbones.base import Backbone

Padding = Literal["zeros", "replicate"]

# expansion t, channels c, repeats n, stride s of table 2; the stride of the sixth row is 1 here (2 in the paper)
STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 1), (6, 320, 1, 1))


def convolution(
    inputs: int, outputs: int, size: int, stride: int = 1, groups: int = 1, padding: Padding = "zeros"
) -> nn.Sequential:
    """Convolution, batch norm, ReLU6. padding: zeros, or replicate, which continues the border."""
    mode: Padding = padding if size > 1 else "zeros"
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, size, stride, padding=size // 2, groups=groups, bias=False, padding_mode=mode),
        nn.BatchNorm2d(outputs),
        nn.ReLU6(inplace=True),
    )


class InvertedResidual(nn.Module):
    """1x1 expansion, 3x3 depthwise, 1x1 linear projection; a shortcut where the shape allows."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int, padding: Padding):
        super().__init__()
        hidden = inputs * expansion
        layers: list[nn.Module] = [convolution(inputs, hidden, 1)] if expansion != 1 else []
        layers += [
            convolution(hidden, hidden, 3, stride, groups=hidden, padding=padding),
            nn.Conv2d(hidden, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        ]
        self.conv = nn.Sequential(*layers)
        self.shortcut = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:  # (B, inputs, h, w) -> (B, outputs, h / stride, w / stride)
        return x + self.conv(x) if self.shortcut else self.conv(x)


class MobileNetV2(Backbone):
    """(B, 3, H, W) -> (B, 1280, H / 16, W / 16)."""

    channels = 1280
    stride = 16

    def __init__(self, padding: Padding = "zeros") -> None:
        super().__init__()
        layers: list[nn.Module] = [convolution(3, 32, 3, stride=2, padding=padding)]
        inputs = 32
        for expansion, outputs, repeats, stride in STAGES:
            for repeat in range(repeats):
                layers.append(InvertedResidual(inputs, outputs, stride if repeat == 0 else 1, expansion, padding))
                inputs = outputs
        layers.append(convolution(inputs, self.channels, 1))
        self.features = nn.Sequential(*layers)

    def forward(self, images: Tensor) -> Tensor:
        return self.features(images)

    def split(self) -> tuple[nn.Module, nn.Module]:
        """Cut after the first block of 160 channels: (B, 160, H / 16, W / 16) between the halves.

        As in OSNet it is a stage's first block, and about 30 % of the parameters come before it.
        """
        return self.features[:15], self.features[15:]


class MobileNetV2Dense(Backbone):
    """(B, 3, H, W) -> (B, 472, H / 4, W / 4): what the last blocks of strides 4, 8, 16 and of all give, side by side.

    As HRNet does with its branches: each brought to the finest resolution. Without the last 1x1 convolution, whose
    1,280 channels would be three quarters of all. Around the image its border goes on: with zeros there, the corner of
    stride 16 gets the longest features of many images. The ImageNet weights are MobileNetV2's.
    """

    TAPS = (3, 6, 13, 17)  # of `features`
    channels = 24 + 32 + 96 + 320
    stride = 4
    weights = "mobilenet_v2"
    unused = ("classifier.", "features.18.")

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(*list(MobileNetV2(padding="replicate").features)[: self.TAPS[-1] + 1])

    def forward(self, images: Tensor) -> Tensor:
        x, scales = images, []
        for number, layer in enumerate(self.features):
            x = layer(x)
            if number in self.TAPS:
                scales.append(x)
        size = scales[0].shape[2:]
        return torch.cat([F.interpolate(each, size, mode="bilinear", align_corners=False) for each in scales], 1)
