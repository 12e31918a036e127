"""GoogLeNet ("Inception v1") to inception 4e, the appearance network of Part-Aligned Bilinear.

Szegedy et al., "Going Deeper with Convolutions", CVPR 2015, table 1: without batch norm, with local response
normalisation around the second convolution. Parameters carry the names of BVLC's Caffe model ("conv1/7x7_s2.weight"),
whose file partreid.backbones.caffe reads. Pooling rounds up, as Caffe does.

Images are RGB with ImageNet mean and deviation, as for every backbone here. The Caffe model takes BGR in 0..255 less
the mean (104, 117, 123), into which `forward` turns them.

dilation 2 is Part-Aligned Bilinear's variant with twice the resolution (its section 5): without the pooling before 4a,
and with dilated filters from there on. The paper does not say what becomes of the 3x3 pooling inside 4a-4e; the
authors' code pools 5x5 there, and so do we.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from partreid.backbones.base import Backbone
from partreid.inputs.images import MEAN, STD
from partreid.layers.constants import constant

CAFFE_MEAN = (104.0, 117.0, 123.0)  # blue, green, red

BLOCKS = {  # output channels of 1x1, 3x3 reduce, 3x3, 5x5 reduce, 5x5, pool projection: table 1
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
}


def caffe_input(images: Tensor) -> Tensor:
    """Normalised RGB (B, 3, H, W) (partreid.inputs.images) -> BGR in 0..255 less Caffe's mean."""
    scale, mean, shift = (constant(values, images.device)[:, None, None] for values in (STD, MEAN, CAFFE_MEAN))
    return (255 * (images * scale + mean)).flip(1) - shift


class GoogLeNet(Backbone):
    """(B, 3, H, W) -> (B, 832, H / 16, W / 16); with dilation 2, (B, 832, H / 8, W / 8)."""

    channels = 832
    stride = 16
    unused = ("inception_5", "loss")  # two more blocks and three classifiers

    def __init__(self, dilation: int = 1):
        super().__init__()
        self.stride = 16 // dilation
        self.dilation = dilation
        self._add("conv1/7x7_s2", 3, 64, 7, stride=2)
        self._add("conv2/3x3_reduce", 64, 64, 1)
        self._add("conv2/3x3", 64, 192, 3)
        inputs = 192
        for block, (one, reduce3, three, reduce5, five, projection) in BLOCKS.items():
            name, d = f"inception_{block}", self._dilation(block)
            self._add(f"{name}/1x1", inputs, one, 1)
            self._add(f"{name}/3x3_reduce", inputs, reduce3, 1)
            self._add(f"{name}/3x3", reduce3, three, 3, dilation=d)
            self._add(f"{name}/5x5_reduce", inputs, reduce5, 1)
            self._add(f"{name}/5x5", reduce5, five, 5, dilation=d)
            self._add(f"{name}/pool_proj", inputs, projection, 1)
            inputs = one + three + five + projection

    def _dilation(self, block: str) -> int:
        return self.dilation if block.startswith("4") else 1

    def _add(self, name: str, inputs: int, outputs: int, size: int, stride: int = 1, dilation: int = 1) -> None:
        padding = dilation * (size // 2)
        self.add_module(name, nn.Conv2d(inputs, outputs, size, stride, padding=padding, dilation=dilation))

    def _layer(self, name: str, x: Tensor) -> Tensor:
        return F.relu(self.get_submodule(name)(x))

    def _inception(self, block: str, x: Tensor) -> Tensor:  # (B, inputs, h, w) -> (B, outputs, h, w)
        name, around = f"inception_{block}", self._dilation(block)
        pooled = F.max_pool2d(x, 2 * around + 1, stride=1, padding=around)
        return torch.cat(
            [
                self._layer(f"{name}/1x1", x),
                self._layer(f"{name}/3x3", self._layer(f"{name}/3x3_reduce", x)),
                self._layer(f"{name}/5x5", self._layer(f"{name}/5x5_reduce", x)),
                self._layer(f"{name}/pool_proj", pooled),
            ],
            dim=1,
        )

    def forward(self, images: Tensor) -> Tensor:
        x = self._layer("conv1/7x7_s2", caffe_input(images))  # (B, 64, H/2, W/2)
        x = normalised(halved(x))  # (B, 64, H/4, W/4)
        x = self._layer("conv2/3x3", self._layer("conv2/3x3_reduce", x))
        x = halved(normalised(x))  # (B, 192, H/8, W/8)
        for block in BLOCKS:
            if block == "4a" and self.dilation == 1:
                x = halved(x)  # (B, 480, H/16, W/16)
            x = self._inception(block, x)
        return x


def halved(x: Tensor) -> Tensor:
    """Caffe's 3x3 max pooling with stride 2."""
    return F.max_pool2d(x, 3, 2, ceil_mode=True)


def normalised(x: Tensor) -> Tensor:
    """Local response normalisation with the constants of the Caffe model."""
    return F.local_response_norm(x, 5, alpha=1e-4, beta=0.75)
