"""Spatial relation-aware attention in a ResNet-50: the backbone of MPN* (table 5 of MPN's paper).

Zhang, Lan, Zeng, Jin, Chen: "Relation-Aware Global Attention for Person Re-identification", CVPR 2020, section 3.2 and
figure 3a, spatial only, after each of the four stages, s1 = s2 = 8. Every position's attention is learned from its
relations to all N positions, so the module has weights for each position: the image size is part of the network.

The N x N matrix of relations is never made. With R = theta' phi, the embedding of r_i = [R(i, :), R(:, i)] is linear
before its batch norm, W r_i = (W_1 phi') theta_i + (W_2 theta') phi_i, and the matrices in brackets have N/8 x C/8
numbers.
"""

import torch
from torch import Tensor, nn

from partreid.backbones.base import Backbone
from partreid.backbones.resnet import ResNet50
from partreid.errors import UserError

REDUCTION = 8  # s1 and s2
STAGES = ((256, 4), (512, 8), (1024, 16), (2048, 16))  # channels and stride of the ResNet's stages


def embedding(inputs: int, outputs: int) -> nn.Sequential:
    """1x1 convolution, batch norm, ReLU: theta, phi, psi and W_1."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


class SpatialRelations(nn.Module):
    """(B, C, h, w) -> the same, every position times its attention 0..1. positions: N = h w."""

    def __init__(self, channels: int, positions: int):
        super().__init__()
        inner, related = channels // REDUCTION, positions // REDUCTION
        self.theta, self.phi, self.psi = (embedding(channels, inner) for _ in range(3))
        self.relate = nn.Linear(2 * positions, related, bias=False)  # W, applied by parts
        self.relate_norm = nn.Sequential(nn.BatchNorm2d(related), nn.ReLU(inplace=True))
        hidden = max(1, (1 + related) // REDUCTION)
        self.attend = nn.Sequential(
            embedding(1 + related, hidden), nn.Conv2d(hidden, 1, 1, bias=False), nn.BatchNorm2d(1), nn.Sigmoid()
        )

    def forward(self, x: Tensor) -> Tensor:
        theta, phi = self.theta(x).flatten(2), self.phi(x).flatten(2)  # (B, C/8, N)
        of_row, of_column = self.relate.weight.chunk(2, 1)  # (N/8, N)
        related = (of_row @ phi.transpose(1, 2)) @ theta + (of_column @ theta.transpose(1, 2)) @ phi  # (B, N/8, N)
        relations = self.relate_norm(related.unflatten(2, x.shape[2:]))
        y = torch.cat([self.psi(x).mean(1, keepdim=True), relations], 1)  # (B, 1 + N/8, h, w)
        return x * self.attend(y)


class RelationAwareResNet50(Backbone):
    """ResNet-50 with last stride 1 for images of height x width: (B, 3, H, W) -> (B, 2048, H / 16, W / 16)."""

    channels = 2048
    stride = 16

    def __init__(self, height: int, width: int):
        super().__init__()
        self.size = height, width
        self.trunk = ResNet50()
        self.relations = nn.ModuleList(
            SpatialRelations(channels, (height // stride) * (width // stride)) for channels, stride in STAGES
        )

    def forward(self, images: Tensor) -> Tensor:
        if tuple(images.shape[2:]) != self.size:
            found, wanted = ("{} x {}".format(*size) for size in (images.shape[2:], self.size))
            raise UserError(f"this backbone is for images of {wanted}, found {found}; set height and width to match")
        trunk = self.trunk
        x = trunk.maxpool(trunk.relu(trunk.bn1(trunk.conv1(images))))
        stages = (trunk.layer1, trunk.layer2, trunk.layer3, trunk.layer4)
        for stage, relations in zip(stages, self.relations, strict=True):
            x = relations(stage(x))
        return x
