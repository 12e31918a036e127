"""HRNet-W32 with the modules of its classifier: features of four resolutions beside each other, at stride 4.

Wang et al., "Deep High-Resolution Representation Learning for Visual Recognition", TPAMI 2020,
https://arxiv.org/abs/1908.07919; HRNetV2-W32-C of section 3 and of its appendix on ImageNet. Parameters carry the names
of the published ImageNet weights. The four `incre_modules` widen the last stage's 32, 64, 128 and 256 channels to 128,
256, 512 and 1024; where the classifier goes on to pool these, here they are brought to the finest of the four
resolutions and concatenated.

Between the branches the published classifier, whose weights these are, takes the nearest neighbour of a coarser map;
BPBreID's authors, with the same weights, bring the four resolutions together bilinearly, corner on corner. That is
`hrnet_w32`. The papers say "bilinear", as the published segmentation networks do it: `hrnet_w32_bilinear` is bilinear
in both places, cell centres at +0.5. With published weights the pooled features of the two have a cosine of 0.96.
"""

import functools
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from partreid.backbones import resnet
from partreid.backbones.base import Backbone

WIDTHS = (32, 64, 128, 256)  # channels of the branches, from the finest to the coarsest
MODULES = (1, 4, 3)  # multi-resolution modules of the second, third and fourth stage
BLOCKS = 4  # of a branch in one module


def convolution(inputs: int, outputs: int, size: int, stride: int, relu: bool) -> nn.Sequential:
    """Convolution, batch norm and, if wanted, ReLU."""
    layers = [nn.Conv2d(inputs, outputs, size, stride, padding=size // 2, bias=False), nn.BatchNorm2d(outputs)]
    return nn.Sequential(*layers, *([nn.ReLU(inplace=True)] if relu else []))


Resize = Callable[[Tensor, Tensor], Tensor]  # a map to the height and width of another


def nearest(x: Tensor, like: Tensor) -> Tensor:
    """By the nearest neighbour to the height and width of `like`."""
    return F.interpolate(x, like.shape[2:], mode="nearest")


def corners(x: Tensor, like: Tensor) -> Tensor:
    """Bilinear to the height and width of `like`, corner cells on corner cells."""
    return F.interpolate(x, like.shape[2:], mode="bilinear", align_corners=True)


def bilinear(x: Tensor, like: Tensor) -> Tensor:
    """Bilinear to the height and width of `like`, cell centres at +0.5."""
    return F.interpolate(x, like.shape[2:], mode="bilinear", align_corners=False)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions around a shortcut; C channels stay C."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(y)) + x)


class Module(nn.Module):
    """Parallel branches, then every one gets the sum of all: finer ones strided down, coarser ones upsampled."""

    def __init__(self, widths: tuple[int, ...], upsample: Resize):
        super().__init__()
        self.upsample = upsample
        self.branches = nn.ModuleList(nn.Sequential(*(BasicBlock(width) for _ in range(BLOCKS))) for width in widths)
        self.fuse_layers = nn.ModuleList(
            nn.ModuleList(exchange(widths, source, target) for source in range(len(widths)))
            for target in range(len(widths))
        )

    def forward(self, x: list[Tensor]) -> list[Tensor]:  # (B, widths[i], H / 2^(2+i), W / 2^(2+i)) each
        x = [branch(each) for branch, each in zip(self.branches, x, strict=True)]
        fused = []
        for row, own in zip(self.fuse_layers, x, strict=True):
            layers: list[nn.Module] = list(row.children())
            given = [self._at(own, layer(each)) for layer, each in zip(layers, x, strict=True)]
            # one after the other: a sum over a stack leaves bfloat16 and the channels-last layout under autocast
            fused.append(F.relu(functools.reduce(torch.add, given)))
        return fused

    def _at(self, own: Tensor, given: Tensor) -> Tensor:
        return given if given.shape[2:] == own.shape[2:] else self.upsample(given, own)


def exchange(widths: tuple[int, ...], source: int, target: int) -> nn.Module:
    """What takes branch `source` to branch `target`: 1x1 to a finer one, as many strided 3x3 as steps to a coarser."""
    if source == target:
        return nn.Identity()
    if source > target:
        return convolution(widths[source], widths[target], 1, 1, relu=False)
    steps = [convolution(widths[source], widths[source], 3, 2, relu=True) for _ in range(target - source - 1)]
    return nn.Sequential(*steps, convolution(widths[source], widths[target], 3, 2, relu=False))


def transition(given: tuple[int, ...], wanted: tuple[int, ...]) -> nn.ModuleList:
    """To one branch more: each old one as it is, or with another width; the new one strided from the coarsest."""
    kept = [
        nn.Identity() if old == new else convolution(old, new, 3, 1, relu=True)
        for old, new in zip(given, wanted, strict=False)
    ]
    return nn.ModuleList([*kept, nn.Sequential(convolution(given[-1], wanted[-1], 3, 2, relu=True))])


def widened(x: list[Tensor], layers: nn.ModuleList) -> list[Tensor]:
    """Apply a transition."""
    return [layer(each) for layer, each in zip(layers, [*x, x[-1]], strict=True)]


class HRNet(Backbone):
    """(B, 3, H, W) -> (B, 1920, H / 4, W / 4).

    between, at_end: how coarser maps are brought to a finer one's size, between the branches and at the end.
    """

    channels = 4 * sum(WIDTHS)
    stride = 4
    weights = "hrnet_w32"
    unused = ("classifier.", "final_layer.", "downsamp_modules.")

    def __init__(self, between: Resize = nearest, at_end: Resize = corners) -> None:
        super().__init__()
        self.at_end = at_end
        self.conv1 = nn.Conv2d(3, 64, 3, 2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.conv2 = nn.Conv2d(64, 64, 3, 2, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.layer1 = resnet.stage(64, 64, 4, 1)  # the first stage: 256 channels
        self.transition1 = transition((256,), WIDTHS[:2])
        self.transition2 = transition(WIDTHS[:2], WIDTHS[:3])
        self.transition3 = transition(WIDTHS[:3], WIDTHS)
        self.stage2, self.stage3, self.stage4 = (
            nn.Sequential(*(Module(WIDTHS[:branches], between) for _ in range(modules)))
            for branches, modules in zip((2, 3, 4), MODULES, strict=True)
        )
        self.incre_modules = nn.ModuleList(resnet.stage(width, width, 1, 1) for width in WIDTHS)

    def forward(self, images: Tensor) -> Tensor:
        x = self.relu(self.bn1(self.conv1(images)))
        x = self.layer1(self.relu(self.bn2(self.conv2(x))))  # (B, 256, H/4, W/4)
        scales = self.stage2(widened([x], self.transition1))
        scales = self.stage3(widened(scales, self.transition2))
        scales = self.stage4(widened(scales, self.transition3))  # (B, WIDTHS[i], H / 2^(2+i), W / 2^(2+i)) each
        scales = [more(each) for more, each in zip(self.incre_modules, scales, strict=True)]
        return torch.cat([scales[0], *(self.at_end(each, scales[0]) for each in scales[1:])], 1)  # (B, 1920, H/4, W/4)
