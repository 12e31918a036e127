"""ResNet-50-IBN-a with last stride 1: ResNet-50 that normalises some channels image by image.

Pan, Luo, Shi, Tang: "Two at Once: Enhancing Learning and Generalization Capacities via IBN-Net", ECCV 2018, section 3.3
and Figure 3(a): in the blocks of the first three stages, the first norm is instance norm for one half of the channels
(looks) and batch norm for the other (content). Parameters carry the names of the published ImageNet weights.
"""

import torch
from torch import Tensor, nn

from partreid.backbones.resnet import Bottleneck, ResNet50


class IBN(nn.Module):
    """(B, C, h, w) -> the same shape: instance norm on the first half of the channels, batch norm on the rest."""

    def __init__(self, channels: int):
        super().__init__()
        self.first = channels // 2
        self.IN = nn.InstanceNorm2d(self.first, affine=True)
        self.BN = nn.BatchNorm2d(channels - self.first)

    def forward(self, x: Tensor) -> Tensor:
        layout = torch.channels_last if x.is_contiguous(memory_format=torch.channels_last) else torch.contiguous_format
        looks = self.IN(x[:, : self.first]).contiguous(memory_format=layout)  # instance norm would lose the layout
        return torch.cat([looks, self.BN(x[:, self.first :].contiguous(memory_format=layout))], 1)


class ResNet50IBN(ResNet50):
    """(B, 3, H, W) -> (B, 2048, H / 16, W / 16)."""

    weights = "resnet50_ibn_a"

    def __init__(self) -> None:
        super().__init__()
        for stage in (self.layer1, self.layer2, self.layer3):
            for block in stage.children():
                if isinstance(block, Bottleneck):
                    block.bn1 = IBN(block.conv1.out_channels)
