"""OpenPose's body network for the COCO keypoints: where joints are, and where limbs run and to which side they point.

Cao et al., "Realtime Multi-Person 2D Pose Estimation using Part Affinity Fields", CVPR 2017,
https://arxiv.org/abs/1611.08050, figure 3: the first ten layers of VGG-19 and two that thin them to 128 features at
stride 8; then stages, each with a branch for limbs (L1) and one for joints (L2). Stage 1 sees the features, every later
stage the output of the one before and the features. Parameters carry the names of the published Caffe model, which
`body_pose_model.pth`, its conversion, keeps.

The network takes BGR as x / 256 - 0.5 with x in 0..255: `prepare` makes it of pixels. `PartOpenPose` is the part stream
of Part-Aligned Bilinear, the network to its second stage behind the images that every backbone here takes. That
paper's authors give it another input than it was trained with, 0.0039 times their appearance network's (BGR in 0..255
less Caffe's mean): `openpose_pabr`, with which their published networks answer.
"""

from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from partreid import backbones
from partreid.backbones.base import Backbone
from partreid.backbones.googlenet import caffe_input
from partreid.inputs.images import MEAN, STD
from partreid.layers.constants import constant
from partreid.storage import torchfile

LIMBS, JOINTS, FEATURES = 38, 19, 128  # x and y of 19 limb vectors; 18 joints and background; VGG features
CHANNELS = LIMBS + JOINTS + FEATURES  # 185
STAGES = 6  # of the published network
STRIDE = 8

VGG = (  # name, output channels; None pools
    ("conv1_1", 64), ("conv1_2", 64), None,
    ("conv2_1", 128), ("conv2_2", 128), None,
    ("conv3_1", 256), ("conv3_2", 256), ("conv3_3", 256), ("conv3_4", 256), None,
    ("conv4_1", 512), ("conv4_2", 512), ("conv4_3_CPM", 256), ("conv4_4_CPM", FEATURES),
)  # fmt: skip
BRANCHES = {"L1": LIMBS, "L2": JOINTS}


def prepare(images: Tensor) -> Tensor:
    """uint8 RGB (B, H, W, 3) -> the network's input, float32 BGR (B, 3, H, W) in -0.5..0.5."""
    return (images.float() / 256 - 0.5).flip(3).permute(0, 3, 1, 2)


def branch(stage: int, which: str) -> list[tuple[str, int, int]]:
    """The convolutions of a branch ("L1" or "L2") in a stage (from 1): name, output channels, kernel size."""
    if stage == 1:
        shape = [(128, 3), (128, 3), (128, 3), (512, 1), (BRANCHES[which], 1)]
        return [(f"conv5_{i}_CPM_{which}", *layer) for i, layer in enumerate(shape, 1)]
    shape = [(128, 7)] * 5 + [(128, 1), (BRANCHES[which], 1)]
    return [(f"Mconv{i}_stage{stage}_{which}", *layer) for i, layer in enumerate(shape, 1)]


class OpenPose(nn.ModuleDict):
    """Images (B, 3, H, W) (see `prepare`) -> (B, 185, H / 8, W / 8): 38 limb, 19 joint, 128 inner maps.

    Limb and joint maps are those of the last of `stages` stages; with two, the output is what Part-Aligned Bilinear
    takes ("concat_stage3" of the Caffe model). Random weights; see `load`.
    """

    def __init__(self, stages: int = STAGES):
        super().__init__()
        self.stages = stages
        inputs = 3
        for layer in VGG:
            if layer is not None:
                self[layer[0]] = nn.Conv2d(inputs, layer[1], 3, padding=1)
                inputs = layer[1]
        for stage in range(1, stages + 1):
            for which in BRANCHES:
                inputs = FEATURES if stage == 1 else CHANNELS
                for name, outputs, size in branch(stage, which):
                    self[name] = nn.Conv2d(inputs, outputs, size, padding=size // 2)
                    inputs = outputs

    def forward(self, images: Tensor) -> Tensor:
        return self.every_stage(images)[-1]

    def every_stage(self, images: Tensor) -> list[Tensor]:
        """The output of each stage, from the first on; of a network without stages, the features alone."""
        x = images
        for layer in VGG:
            # pooling rounds up, as Caffe does
            x = F.max_pool2d(x, 2, ceil_mode=True) if layer is None else F.relu(self[layer[0]](x))
        features = x  # (B, 128, H/8, W/8)
        outputs = [features]
        for stage in range(1, self.stages + 1):
            maps = [self._branch(stage, which, outputs[-1]) for which in BRANCHES]
            outputs.append(torch.cat([*maps, features], dim=1))  # (B, 185, H/8, W/8)
        return outputs[1:] or outputs

    def _branch(self, stage: int, which: str, x: Tensor) -> Tensor:
        *hidden, (last, _, _) = branch(stage, which)
        for name, _, _ in hidden:
            x = F.relu(self[name](x))
        return self[last](x)


class PartOpenPose(Backbone):
    """Normalised RGB images (B, 3, H, W) -> (B, 185, H / 8, W / 8): OpenPose's maps after its second stage.

    prepare: makes the network's input of them. Random weights: see `he`.
    """

    channels = CHANNELS
    stride = STRIDE

    def __init__(self, prepare: Callable[[Tensor], Tensor] | None = None) -> None:
        super().__init__()
        self.prepare = from_normalised if prepare is None else prepare
        self.network = OpenPose(2)
        he(self.network, [self.network[branch(stage, which)[-1][0]] for stage in (1, 2) for which in BRANCHES])

    def forward(self, images: Tensor) -> Tensor:
        return self.every_stage(images)[-1]

    def every_stage(self, images: Tensor) -> list[Tensor]:
        """The output of both stages, each (B, 185, H / 8, W / 8)."""
        return self.network.every_stage(self.prepare(images))


def from_normalised(images: Tensor) -> Tensor:
    """Normalised RGB (B, 3, H, W) (partreid.inputs.images) -> the same as `prepare` makes of the pixels."""
    scale, mean = (constant(values, images.device)[:, None, None] for values in (STD, MEAN))
    return (255 / 256 * (images * scale + mean) - 0.5).flip(1)


def scaled_caffe_input(images: Tensor) -> Tensor:
    """Normalised RGB (B, 3, H, W) -> what the authors of Part-Aligned Bilinear give the network."""
    return 0.0039 * caffe_input(images)


def he(module: nn.Module, last: Iterable[nn.Module] = ()) -> None:
    """Initialise all convolutions as a network of ReLUs without batch norm needs it (He et al., ICCV 2015).

    last: layers that give maps; small, so that training starts from empty maps instead of noise. Biases are 0.
    """
    last = set(last)
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            if layer in last:
                nn.init.normal_(layer.weight, std=0.01)
            else:
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def load(network: OpenPose, file: Path) -> None:
    """Load a published file, with plain names ("conv1_1.weight") or those of a module ("model0.conv1_1.weight").

    Stages that the file has and the network was built without are left out. UserError when the file cannot be read or
    when any other name or shape differs.
    """
    content = torchfile.load(file, "download it again")
    state = {".".join(name.split(".")[-2:]): value for name, value in content.items()}
    later = tuple(
        f"{name}." for s in range(network.stages + 1, STAGES + 1) for w in BRANCHES for name, _, _ in branch(s, w)
    )
    backbones.load_named(network, state, ignore=later, source=str(file))
