"""SCHP, the human parsing network: classes of body parts or clothes, and the edges between them, for every pixel.

Li et al., "Self-Correction for Human Parsing", TPAMI 2020, https://arxiv.org/abs/1910.09777. The network is CE2P
(Ruan et al., "Devil in the Details: Towards Accurate Single and Multiple Human Parsing", AAAI 2019,
https://arxiv.org/abs/1809.05996): ResNet-101 with a stem of three 3x3 convolutions and stride 16 (the last stage is
dilated by 2 instead of strided), a pyramid of pooled context, a decoder at stride 4, an edge branch, and their fusion.
Self-correction is a way to train it. Parameters carry the names of the published checkpoints (`fushion` is theirs),
without the `module.` that every name there begins with.

The published network was trained with in-place activated batch norm (Rota Bulò et al., CVPR 2018,
https://arxiv.org/abs/1712.02616), followed by LeakyReLU 0.01 in the heads and by nothing in the ResNet. Here these are
plain batch norms. In-place batch norm has to be invertible, and the implementation of that time scales by |γ| + ε
(1e-5) where a plain one scales by γ: `load` therefore puts |γ| + ε in γ's place. This is an assumption about the
checkpoints: where every γ is positive it changes nothing that could be seen; for a network that somebody trained with
plain batch norms and that has negative γ it would be wrong.

Images are RGB with ImageNet mean and deviation (partreid.inputs.images.normalise), as for every backbone here. The
published network takes the channels as BGR with the same numbers (mean 0.406, 0.456, 0.485 in that order), so
`forward` turns them around. The checkpoints were trained on squares: 473 pixels for LIP, 512 for ATR and Pascal.
"""

from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from partreid.backbones import load_named
from partreid.backbones.resnet import stage
from partreid.errors import UserError
from partreid.storage import foreign, torchfile

POOLED = (1, 2, 3, 6)  # sides of the grids that the context is pooled to


class Parsing(NamedTuple):
    """What the network says, all as logits at a quarter of the image's size, (B, ..., ceil(H / 4), ceil(W / 4))."""

    fused: Tensor  # (B, classes, h, w): the result
    edge: Tensor  # (B, 2, h, w): no edge, edge
    parsing: Tensor  # (B, classes, h, w): the decoder alone, before the edges are taken into account; for its loss


class ActivatedBatchNorm(nn.BatchNorm2d):
    """Batch norm and LeakyReLU 0.01 in one layer, as the published names have it."""

    def forward(self, x: Tensor) -> Tensor:
        return F.leaky_relu(super().forward(x), 0.01)


def convolution(inputs: int, outputs: int, size: int = 1) -> list[nn.Module]:
    """Convolution without bias, activated batch norm."""
    return [nn.Conv2d(inputs, outputs, size, padding=size // 2, bias=False), ActivatedBatchNorm(outputs)]


def resized(x: Tensor, like: Tensor) -> Tensor:
    """Bilinear to the height and width of `like`, corner pixels on corner pixels, as the network was trained."""
    return F.interpolate(x, like.shape[2:], mode="bilinear", align_corners=True)


class Context(nn.Module):
    """Pyramid pooling: (B, 2048, h, w) -> (B, 512, h, w)."""

    def __init__(self) -> None:
        super().__init__()
        self.stages = nn.ModuleList(
            nn.Sequential(nn.AdaptiveAvgPool2d(side), *convolution(2048, 512)) for side in POOLED
        )
        self.bottleneck = nn.Sequential(*convolution(len(POOLED) * 512 + 2048, 512, 3))

    def forward(self, x: Tensor) -> Tensor:
        return self.bottleneck(torch.cat([*(resized(stage(x), x) for stage in self.stages), x], dim=1))


class Edge(nn.Module):
    """Edges from three stages of the ResNet, at the size of the first: logits (B, 2, h, w), features (B, 768, h, w)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Sequential(*convolution(256, 256))
        self.conv2 = nn.Sequential(*convolution(512, 256))
        self.conv3 = nn.Sequential(*convolution(1024, 256))
        self.conv4 = nn.Conv2d(256, 2, 3, padding=1)  # shared by the three
        self.conv5 = nn.Conv2d(6, 2, 1)

    def forward(self, x2: Tensor, x3: Tensor, x4: Tensor) -> tuple[Tensor, Tensor]:
        features = [self.conv1(x2), self.conv2(x3), self.conv3(x4)]
        edges = torch.cat([resized(self.conv4(f), x2) for f in features], dim=1)  # (B, 6, h, w)
        return self.conv5(edges), torch.cat([resized(f, x2) for f in features], dim=1)


class Decoder(nn.Module):
    """Context (B, 512, ...) beside fine features (B, 256, h, w): logits (B, classes, h, w), features (B, 256, h, w)."""

    def __init__(self, classes: int):
        super().__init__()
        self.conv1 = nn.Sequential(*convolution(512, 256))
        self.conv2 = nn.Sequential(*convolution(256, 48))
        self.conv3 = nn.Sequential(*convolution(256 + 48, 256), *convolution(256, 256))
        self.conv4 = nn.Conv2d(256, classes, 1)

    def forward(self, context: Tensor, x2: Tensor) -> tuple[Tensor, Tensor]:
        features = self.conv3(torch.cat([resized(self.conv1(context), x2), self.conv2(x2)], dim=1))
        return self.conv4(features), features


class SCHP(nn.Module):
    """Images (B, 3, H, W), RGB with ImageNet statistics, to Parsing. Random weights; see `load`.

    classes: 20 for LIP, 18 for ATR, 7 for Pascal-Person-Part. layers: bottlenecks per stage of the ResNet; the
    published network has ResNet-101's.
    """

    def __init__(self, classes: int, layers: tuple[int, int, int, int] = (3, 4, 23, 3)):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 3, 2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.conv2 = nn.Conv2d(64, 64, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(64)
        self.conv3 = nn.Conv2d(64, 128, 3, padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(128)
        self.maxpool = nn.MaxPool2d(3, 2, padding=1)
        self.layer1 = stage(128, 64, layers[0], 1)
        self.layer2 = stage(256, 128, layers[1], 2)
        self.layer3 = stage(512, 256, layers[2], 2)
        self.layer4 = stage(1024, 512, layers[3], 1)
        for module in self.layer4.modules():
            if isinstance(module, nn.Conv2d) and module.kernel_size == (3, 3):
                module.dilation = module.padding = (2, 2)
        self.context_encoding = Context()
        self.edge = Edge()
        self.decoder = Decoder(classes)
        self.fushion = nn.Sequential(*convolution(768 + 256, 256), nn.Dropout2d(0.1), nn.Conv2d(256, classes, 1))

    def forward(self, images: Tensor) -> Parsing:
        x = F.relu(self.bn1(self.conv1(images.flip(1))))  # RGB -> BGR; (B, 64, H/2, W/2)
        x = F.relu(self.bn2(self.conv2(x)))
        x = self.maxpool(F.relu(self.bn3(self.conv3(x))))  # (B, 128, H/4, W/4)
        x2 = self.layer1(x)  # (B, 256, H/4, W/4)
        x3 = self.layer2(x2)  # (B, 512, H/8, W/8)
        x4 = self.layer3(x3)  # (B, 1024, H/16, W/16)
        x5 = self.layer4(x4)  # (B, 2048, H/16, W/16)
        parsing, parsing_features = self.decoder(self.context_encoding(x5), x2)
        edge, edge_features = self.edge(x2, x3, x4)
        fused = self.fushion(torch.cat([parsing_features, edge_features], dim=1))
        return Parsing(fused, edge, parsing)


def load(network: SCHP, file: Path) -> None:
    """Load a published checkpoint, trained with in-place batch norm (see the module's docstring).

    UserError when the file cannot be read or when names or shapes differ (another number of classes, for example).
    """
    content = torchfile.load(file, "download it again")
    state = content.get("state_dict", content)
    if not isinstance(state, dict):
        raise UserError(f"{file} is {foreign.kinds_of(content)}, of which state_dict is no table; download it again")
    state = {name.removeprefix("module."): value for name, value in state.items()}
    for name, module in network.named_modules():
        gamma = f"{name}.weight"
        if isinstance(module, nn.BatchNorm2d) and gamma in state:
            state[gamma] = state[gamma].abs() + module.eps
    load_named(network, state, ignore=(), source=str(file))
