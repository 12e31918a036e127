"""A part network of 2.6 M parameters with OpenPose's output, for machines on which OpenPose's 17 M are too slow.

Part-Aligned Bilinear (Suh et al., ECCV 2018, section 6.3) also ran with a reduced pose network of about 3 M, "R-CPM",
of which nothing more is published. Ours: MobileNetV2's first blocks, dilated to stride 8, instead of VGG; then
OpenPose's two stages (partreid.backbones.openpose) with three 3x3 convolutions per branch, those of the second stage
dilated by 2 where OpenPose has five of 7x7.
"""

import torch
from torch import Tensor, nn

from partreid import backbones
from partreid.backbones.base import Backbone
from partreid.backbones.mobilenet import MobileNetV2, up_to_stride_4
from partreid.backbones.openpose import BRANCHES, CHANNELS, FEATURES, STRIDE, he

FRONT = 14  # entries of MobileNetV2's `features`: to the end of its 96-channel row
FRONT_CHANNELS = 96


class SmallCPM(Backbone):
    """Normalised RGB images (B, 3, H, W) -> (B, 185, H / 8, W / 8): 38 limb, 19 joint, 128 inner maps."""

    channels = CHANNELS
    stride = STRIDE

    def __init__(self) -> None:
        super().__init__()
        self.front = MobileNetV2(dilation=2).features[:FRONT]
        self.thin = nn.Sequential(nn.Conv2d(FRONT_CHANNELS, FEATURES, 3, padding=1), nn.ReLU())
        self.stages = nn.ModuleList(
            nn.ModuleDict({which: branch(inputs, BRANCHES[which], dilation) for which in BRANCHES})
            for inputs, dilation in ((FEATURES, 1), (CHANNELS, 2))
        )
        he(self.thin)

    def load_front(self) -> None:
        """Load MobileNetV2's ImageNet weights into the front."""
        whole = MobileNetV2()
        backbones.load_imagenet(whole, "mobilenet_v2")
        self.front.load_state_dict(whole.features[:FRONT].state_dict())

    def early(self) -> tuple[nn.Module, ...]:
        return up_to_stride_4(self.front)

    def forward(self, images: Tensor) -> Tensor:
        return self.every_stage(images)[-1]

    def every_stage(self, images: Tensor) -> list[Tensor]:
        """The output of both stages, each (B, 185, H / 8, W / 8)."""
        features = self.thin(self.front(images))  # (B, 128, H/8, W/8)
        outputs = [features]
        for stage in self.stages:
            maps = [stage.get_submodule(which)(outputs[-1]) for which in BRANCHES]
            outputs.append(torch.cat([*maps, features], dim=1))
        return outputs[1:]


def branch(inputs: int, outputs: int, dilation: int) -> nn.Sequential:
    """(B, inputs, h, w) -> (B, outputs, h, w)."""
    layers: list[nn.Module] = []
    for channels in (inputs, FEATURES, FEATURES):
        layers += [nn.Conv2d(channels, FEATURES, 3, padding=dilation, dilation=dilation), nn.ReLU()]
    last = nn.Conv2d(FEATURES, outputs, 1)
    network = nn.Sequential(*layers, nn.Conv2d(FEATURES, FEATURES, 1), nn.ReLU(), last)
    he(network, [last])
    return network
