"""MobileNetV2 with last stride 1, the backbone of the laptop recipe, and the same with features of four resolutions.

Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", CVPR 2018, table 2. Parameters carry
torchvision's names. As in our ResNet-50 the last strided stage keeps the resolution, so the network has stride 16.
"""

from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from partreid.backbones.base import Backbone, Blocks

Border = Literal["zeros", "replicate"]

# expansion t, channels c, repeats n, stride s of table 2; the stride of the sixth row is 1 here (2 in the paper)
STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 1), (6, 320, 1, 1))
LAST_STRIDED = 64  # output channels of the last row with a stride


class StridedDepthwise(nn.Conv2d):
    """A strided depthwise convolution that on a CPU learns in float32.

    Its backward in bfloat16 takes four times as long: three of them are a fifth of a training step. Measured with
    oneDNN, on a CPU with AMX.
    """

    def forward(self, x: Tensor) -> Tensor:  # (B, C, h, w) -> (B, C, h / 2, w / 2), of x's type
        learns = torch.is_grad_enabled() and (x.requires_grad or self.weight.requires_grad)
        if not learns or x.device.type != "cpu" or not torch.is_autocast_enabled("cpu"):
            return super().forward(x)
        with torch.autocast("cpu", enabled=False):
            return super().forward(x.float()).to(x.dtype)


class ReLU6(nn.ReLU6):
    """In place, but on a CPU, where in bfloat16 that takes three times as long and no less memory."""

    def forward(self, x: Tensor) -> Tensor:
        return F.relu6(x, inplace=x.device.type != "cpu")


def convolution(
    inputs: int, outputs: int, size: int, stride: int = 1, groups: int = 1, dilation: int = 1, border: Border = "zeros"
) -> nn.Sequential:
    """Convolution, batch norm, ReLU6. border: what is around the image, zeros or its border going on (replicate)."""
    more: dict[str, Any] = {"padding": dilation * (size // 2), "padding_mode": border} if size > 1 else {}
    kind = StridedDepthwise if stride > 1 and groups > 1 else nn.Conv2d
    return nn.Sequential(
        kind(inputs, outputs, size, stride, groups=groups, dilation=dilation, bias=False, **more),
        nn.BatchNorm2d(outputs),
        ReLU6(),
    )


def up_to_stride_4(features: nn.Module) -> tuple[nn.Module, ...]:
    """The layers of MobileNetV2's `features`, or of their beginning, that `freeze: stride4` means."""
    return tuple(features.children())[:4]


class InvertedResidual(nn.Module):
    """1x1 expansion, 3x3 depthwise, 1x1 linear projection; a shortcut where the shape allows."""

    def __init__(
        self, inputs: int, outputs: int, stride: int, expansion: int, dilation: int = 1, border: Border = "zeros"
    ):
        super().__init__()
        hidden = inputs * expansion
        layers: list[nn.Module] = [convolution(inputs, hidden, 1)] if expansion != 1 else []
        layers += [
            convolution(hidden, hidden, 3, stride, groups=hidden, dilation=dilation, border=border),
            nn.Conv2d(hidden, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        ]
        self.conv = nn.Sequential(*layers)
        self.shortcut = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:  # (B, inputs, h, w) -> (B, outputs, h / stride, w / stride)
        return x + self.conv(x) if self.shortcut else self.conv(x)


class MobileNetV2(Blocks):
    """(B, 3, H, W) -> (B, 1280, H / 16, W / 16).

    dilation 2: (B, 1280, H / 8, W / 8). The last strided stage keeps the resolution, and the filters after it are
    dilated, so that the weights see what they were trained on.
    """

    channels = 1280
    stride = 16

    def __init__(self, dilation: int = 1, border: Border = "zeros") -> None:
        super().__init__()
        self.stride = 16 // dilation
        layers: list[nn.Module] = [convolution(3, 32, 3, stride=2, border=border)]
        inputs, dilated = 32, 1
        for expansion, outputs, repeats, stride in STAGES:
            last = outputs == LAST_STRIDED
            for repeat in range(repeats):
                step = 1 if repeat or (last and dilation > 1) else stride
                layers.append(InvertedResidual(inputs, outputs, step, expansion, dilated, border))
                inputs = outputs
                dilated = dilation if last else dilated  # from the block after the one that loses its stride
        layers.append(convolution(inputs, self.channels, 1))
        self.features = nn.Sequential(*layers)

    def stem(self, images: Tensor) -> Tensor:
        return self.features[:2](images)  # (B, 16, H/2, W/2)

    def blocks(self) -> tuple[nn.Module, ...]:
        """To (B, 24, H/4, W/4), (B, 32, H/8, W/8), (B, 96, H/16, W/16), (B, 1280, H/16, W/16).

        Cut where ResNet-50's are: before every layer that has, or had before its stride was removed, a stride.
        """
        return self.features[2:4], self.features[4:7], self.features[7:14], self.features[14:]

    def early(self) -> tuple[nn.Module, ...]:
        return up_to_stride_4(self.features)

    def split(self) -> tuple[nn.Module, nn.Module]:
        """Cut after the first block of 160 channels: (B, 160, H / 16, W / 16) between the halves.

        As in OSNet it is a stage's first block, and about 30 % of the parameters come before it.
        """
        return self.features[:15], self.features[15:]


class MobileNetV2Dense(Backbone):
    """(B, 3, H, W) -> (B, 472, H / s, W / s): what the last blocks of strides 4, 8, 16 and of all give, side by side.

    stride: s, of the result, 4 or 8. As HRNet does with its branches each is brought to one resolution: coarser ones
    bilinearly, finer ones by the mean. Without the last 1x1 convolution, whose 1,280 channels would be three quarters
    of all. Around the image its border goes on: with zeros there, the corner of stride 16 gets the longest features of
    many images. The ImageNet weights are MobileNetV2's.

    As one pooled vector this is worse than MobileNetV2 (docs/methods.md: bot). Tried and left out, mAP of bot by the
    laptop recipe, seed 1, MobileNetV2's being 45.8: with batch norm and ReLU behind it 39.2, with zeros around the
    image 38.7, with the last 1x1 convolution's output beside the rest 42.3, with that convolution fed by all of them,
    stride 8, 42.2.
    """

    TAPS = (3, 6, 13, 17)  # of `features`
    channels = 24 + 32 + 96 + 320
    weights = "mobilenet_v2"
    unused = ("classifier.", "features.18.")

    def __init__(self, stride: Literal[4, 8] = 4) -> None:
        super().__init__()
        self.stride = stride
        self.features = nn.Sequential(*list(MobileNetV2(border="replicate").features)[: self.TAPS[-1] + 1])

    def early(self) -> tuple[nn.Module, ...]:
        return up_to_stride_4(self.features)

    def forward(self, images: Tensor) -> Tensor:
        x, scales = images, []
        for number, layer in enumerate(self.features):
            x = layer(x)
            if number in self.TAPS:
                scales.append(x)
        finer = self.stride // 4
        size = scales[finer // 2].shape[2:]
        alike = [F.avg_pool2d(each, finer, ceil_mode=True) for each in scales[: finer // 2]]
        alike += [F.interpolate(each, size, mode="bilinear", align_corners=False) for each in scales[finer // 2 :]]
        return torch.cat(alike, 1)
