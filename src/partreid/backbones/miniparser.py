"""A small parsing network, where SCHP is too slow: MobileNetV2 down to stride 16 and a U-shaped decoder up to stride 2.

It has the place of SCHP (partreid.backbones.schp) as FSAM's F_m in the laptop recipe. The encoder is MobileNetV2's
(its parameters carry torchvision's names and take its ImageNet weights); on the way up, every doubling of the
resolution sees the encoder's features of that resolution (Ronneberger et al., "U-Net", MICCAI 2015). Where the papers'
networks end at stride 4, this one goes to 2: for an image of 128 x 64 pixels, a quarter would be 32 x 16 cells.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from partreid.backbones import load_named
from partreid.backbones.mobilenet import MobileNetV2, convolution, up_to_stride_4
from partreid.storage import published_weights, torchfile

DEPTH = 14  # layers of MobileNetV2 that are kept: to stride 16, 96 channels
SKIPS = {1: 16, 3: 24, 6: 32}  # the last layers at strides 2, 4 and 8, and their channels
WIDTH = 32  # channels of the decoder


class MiniParser(nn.Module):
    """Images (B, 3, H, W), RGB with ImageNet statistics -> logits (B, classes, ceil(H / 2), ceil(W / 2))."""

    def __init__(self, classes: int):
        super().__init__()
        self.features = nn.Sequential(*list(MobileNetV2().features)[:DEPTH])
        self.ups = nn.ModuleList()
        channels = 96
        for skip in reversed(SKIPS.values()):
            self.ups.append(nn.Sequential(convolution(channels + skip, WIDTH, 1), convolution(WIDTH, WIDTH, 3)))
            channels = WIDTH
        self.classify = nn.Conv2d(WIDTH, classes, 1)

    def early(self) -> tuple[nn.Module, ...]:
        """The layers up to stride 4, as of every backbone."""
        return up_to_stride_4(self.features)

    def forward(self, images: Tensor) -> Tensor:
        x, skips = images, []
        for number, layer in enumerate(self.features):
            x = layer(x)
            if number in SKIPS:
                skips.append(x)
        for up, skip in zip(self.ups, reversed(skips), strict=True):
            x = F.interpolate(x, skip.shape[2:], mode="bilinear", align_corners=True)
            x = up(torch.cat([x, skip], 1))
        return self.classify(x)

    def load_imagenet(self) -> None:
        """MobileNetV2's ImageNet weights into the encoder; the decoder stays as it is."""
        file = published_weights.path("mobilenet_v2")
        state = torchfile.load(file, "delete it to fetch it again")
        dropped = tuple(f"features.{number}." for number in range(DEPTH, 19))
        own = {name: value for name, value in self.state_dict().items() if not name.startswith("features.")}
        load_named(self, {**own, **state}, ignore=(*dropped, "classifier."), source=str(file))
