"""ResNet-50 with last stride 1, as person re-identification uses it.

He et al., "Deep Residual Learning for Image Recognition", CVPR 2016. The stride of a bottleneck sits in its 3x3
convolution, and parameters carry torchvision's names, because the public ImageNet weights do. The last stage keeps
its resolution (last stride 1: Luo et al., "Bag of Tricks", CVPRW 2019, section 3.4), so the network has stride 16.

Two stems of published re-identification networks are other than torchvision's: Bag of Tricks' has no ReLU between the
first batch norm and the pooling (`resnet50_bot`), fast-reid pools without a border and rounds up (`resnet50_fastreid`).
torchreid's ResNet-50 keeps the last stage's stride (`resnet50_stride32`).
"""

from torch import Tensor, nn

from partreid.backbones.base import Blocks


class Bottleneck(nn.Module):
    """1x1, 3x3 (with the stride), 1x1 to four times `width`, around a shortcut."""

    def __init__(self, inputs: int, width: int, stride: int, dilation: int = 1):
        super().__init__()
        outputs = 4 * width
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1: nn.Module = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, padding=dilation, dilation=dilation, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.downsample: nn.Module | None = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:  # (B, inputs, h, w) -> (B, 4 width, h / stride, w / stride)
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return self.relu(y + (x if self.downsample is None else self.downsample(x)))


def stage(inputs: int, width: int, blocks: int, stride: int, dilations: tuple[int, int] = (1, 1)) -> nn.Sequential:
    """A stage of bottlenecks; only the first has the stride. dilations: of the first and of the others."""
    rest = [Bottleneck(4 * width, width, 1, dilations[1]) for _ in range(blocks - 1)]
    return nn.Sequential(Bottleneck(inputs, width, stride, dilations[0]), *rest)


class ResNet50(Blocks):
    """(B, 3, H, W) -> (B, 2048, H / 16, W / 16).

    dilation 2: (B, 2048, H / 8, W / 8). The third stage keeps the resolution too, and the filters after its first
    block are dilated, so that the weights see what they were trained on.
    stem_relu: a ReLU before the pooling. pool: "padded", or "ceil", without a border and rounding up. last_stride: 2
    halves the resolution once more.
    """

    channels = 2048
    stride = 16
    weights: str | None = "resnet50"

    def __init__(self, dilation: int = 1, stem_relu: bool = True, pool: str = "padded", last_stride: int = 1) -> None:
        super().__init__()
        self.stride = 16 * last_stride // dilation
        self.conv1 = nn.Conv2d(3, 64, 7, 2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True) if stem_relu else nn.Identity()
        self.maxpool = nn.MaxPool2d(3, 2, ceil_mode=True) if pool == "ceil" else nn.MaxPool2d(3, 2, padding=1)
        self.layer1 = stage(64, 64, 3, 1)
        self.layer2 = stage(256, 128, 4, 2)
        self.layer3 = stage(512, 256, 6, 2 // dilation, (1, dilation))
        self.layer4 = stage(1024, 512, 3, last_stride, (dilation, dilation))

    def stem(self, images: Tensor) -> Tensor:
        return self.maxpool(self.relu(self.bn1(self.conv1(images))))  # (B, 64, H/4, W/4)

    def early(self) -> tuple[nn.Module, ...]:
        return self.conv1, self.bn1, self.layer1

    def blocks(self) -> tuple[nn.Sequential, ...]:
        """To (B, 256, H/4, W/4), (B, 512, H/8, W/8), (B, 1024, H/16, W/16), (B, 2048, H/16, W/16)."""
        return self.layer1, self.layer2, self.layer3, self.layer4
