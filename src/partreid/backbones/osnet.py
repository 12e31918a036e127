"""OSNet x1.0, whose blocks look at four scales at once and weigh them by the channel.

Zhou, Yang, Cavallaro, Xiang: "Omni-Scale Feature Learning for Person Re-Identification", ICCV 2019,
https://arxiv.org/abs/1905.00953, table 1. Parameters carry the names of the published weights.
"""

from torch import Tensor, nn

from partreid.backbones.base import Backbone

SCALES = 4  # streams of a block; stream t sees (2 t + 1) x (2 t + 1) pixels, Eq. 3
REDUCTION = 16  # of the aggregation gate's hidden layer


class Convolution(nn.Module):
    """Convolution, batch norm and, unless `linear`, ReLU."""

    def __init__(self, inputs: int, outputs: int, size: int = 1, stride: int = 1, linear: bool = False):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, size, stride, padding=size // 2, bias=False)
        self.bn = nn.BatchNorm2d(outputs)
        self.relu = nn.Identity() if linear else nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(self.bn(self.conv(x)))


class Lite(nn.Module):
    """The Lite 3x3 of section 3.1: pointwise, then depthwise, batch norm, ReLU; C channels stay C."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 1, bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False, groups=channels)
        self.bn = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(self.bn(self.conv2(self.conv1(x))))


class Gate(nn.Module):
    """The unified aggregation gate, Eq. 4: every channel times a weight in 0..1 that its global average decides."""

    def __init__(self, channels: int):
        super().__init__()
        self.global_avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(channels, channels // REDUCTION, 1)
        self.relu = nn.ReLU(inplace=True)
        self.fc2 = nn.Conv2d(channels // REDUCTION, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.fc2(self.relu(self.fc1(self.global_avgpool(x)))).sigmoid()


class OSBlock(nn.Module):
    """Figure 4: 1x1 to a quarter, four streams of one to four Lite 3x3, gated and summed, 1x1, around a shortcut."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        width = outputs // 4
        self.conv1 = Convolution(inputs, width)
        self.conv2a = Lite(width)
        self.conv2b, self.conv2c, self.conv2d = (
            nn.Sequential(*(Lite(width) for _ in range(depth))) for depth in range(2, SCALES + 1)
        )
        self.gate = Gate(width)  # shared by the streams
        self.conv3 = Convolution(width, outputs, linear=True)
        self.downsample = Convolution(inputs, outputs, linear=True) if inputs != outputs else nn.Identity()
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:  # (B, inputs, h, w) -> (B, outputs, h, w)
        y = self.conv1(x)
        a, b, c, d = (self.gate(stream(y)) for stream in (self.conv2a, self.conv2b, self.conv2c, self.conv2d))
        return self.relu(self.conv3(a + b + c + d) + self.downsample(x))


def stage(inputs: int, outputs: int, shrink: bool) -> nn.Sequential:
    """Two blocks and, if `shrink`, the transition that halves height and width."""
    layers: list[nn.Module] = [OSBlock(inputs, outputs), OSBlock(outputs, outputs)]
    if shrink:
        layers.append(nn.Sequential(Convolution(outputs, outputs), nn.AvgPool2d(2, 2)))
    return nn.Sequential(*layers)


class OSNet(Backbone):
    """(B, 3, H, W) -> (B, 512, H / 16, W / 16)."""

    channels = 512
    stride = 16

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = Convolution(3, 64, 7, stride=2)
        self.maxpool = nn.MaxPool2d(3, 2, padding=1)
        self.conv2 = stage(64, 256, shrink=True)
        self.conv3 = stage(256, 384, shrink=True)
        self.conv4 = stage(384, 512, shrink=False)
        self.conv5 = Convolution(512, 512)

    def forward(self, images: Tensor) -> Tensor:
        x = self.conv2(self.maxpool(self.conv1(images)))  # (B, 256, H/8, W/8)
        return self.conv5(self.conv4(self.conv3(x)))  # (B, 512, H/16, W/16)

    def split(self) -> tuple[nn.Sequential, nn.Sequential]:
        """Cut after the first block of conv3: (B, 384, H / 8, W / 8) between the halves."""
        first, *rest = self.conv3.children()
        return nn.Sequential(self.conv1, self.maxpool, self.conv2, first), nn.Sequential(*rest, self.conv4, self.conv5)
