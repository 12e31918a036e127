"""Backbones: image (B, 3, H, W) -> feature map (B, channels, H / stride, W / stride).

Parameter names are those of the public weight files, so that these load without renaming.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from torch import Tensor, nn

from partreid.backbones import caffe
from partreid.backbones.base import Backbone
from partreid.backbones.googlenet import GoogLeNet
from partreid.backbones.hrnet import HRNet, bilinear
from partreid.backbones.mobilenet import MobileNetV2, MobileNetV2Dense
from partreid.backbones.openpose import PartOpenPose, scaled_caffe_input
from partreid.backbones.osnet import OSNet
from partreid.backbones.relation import RelationAwareResNet50
from partreid.backbones.resnet import ResNet50
from partreid.backbones.resnet_ibn import ResNet50IBN
from partreid.backbones.small_cpm import SmallCPM
from partreid.errors import UserError, choose
from partreid.storage import published_weights, torchfile, weights

BACKBONES: dict[str, Callable[[], Backbone]] = {
    "googlenet": GoogLeNet,
    "hrnet_w32": HRNet,
    "hrnet_w32_bilinear": partial(HRNet, bilinear, bilinear),
    "mobilenet_v2": MobileNetV2,
    "mobilenet_v2_dense": MobileNetV2Dense,
    "mobilenet_v2_dense8": partial(MobileNetV2Dense, 8),
    "openpose": PartOpenPose,
    "openpose_pabr": partial(PartOpenPose, scaled_caffe_input),
    "osnet_x1_0": OSNet,
    "resnet50": ResNet50,
    "resnet50_bot": partial(ResNet50, stem_relu=False),
    "resnet50_fastreid": partial(ResNet50, pool="ceil"),
    "resnet50_stride32": partial(ResNet50, last_stride=2),
    "resnet50_ibn_a": ResNet50IBN,
    "resnet50_rga_256x128": partial(RelationAwareResNet50, 256, 128),
    "resnet50_rga_384x128": partial(RelationAwareResNet50, 384, 128),
    "small_cpm": SmallCPM,
}

# with the same parameters, but twice the resolution: stride 8 instead of 16
DILATED: dict[str, Callable[[], Backbone]] = {
    "googlenet": partial(GoogLeNet, 2),
    "mobilenet_v2": partial(MobileNetV2, 2),
    "resnet50": partial(ResNet50, 2),
}


def build(name: str, dilated: bool = False) -> Backbone:
    """A backbone with random weights."""
    if dilated:
        return choose(DILATED, name, "backbone with a dilated variant")()
    return choose(BACKBONES, name, "backbone")()


def load_imagenet(backbone: Backbone, name: str) -> None:
    """Load the ImageNet weights of backbone `name` (fetched on first use, see partreid.storage.published_weights).

    One whose `weights` is "" stays as it is.
    """
    if isinstance(backbone, RelationAwareResNet50):  # its attention starts from scratch
        backbone, name = backbone.trunk, "resnet50"
    if backbone.weights == "":
        return
    path = published_weights.path(backbone.weights or name)
    read = caffe.load if path.suffix == ".caffemodel" else torchfile.load
    content = read(path, "delete it to fetch it again")
    state = {key.removeprefix("module."): value for key, value in content.items()}  # some were saved data-parallel
    load_named(backbone, state, ignore=backbone.unused, source=str(path))


def load_trained(module: nn.Module, name: str, path: Path) -> None:
    """Load what a training of ours saved in `path` of a sub-module called `name` into such a sub-module."""
    _, whole = weights.read(path)
    inside = f"{name}."
    state = {key.removeprefix(inside): value for key, value in whole.items() if key.startswith(inside)}
    load_named(module, state, ignore=(), source=f"{name} of {path}")


def load_named(module: nn.Module, state: dict[str, Tensor], ignore: tuple[str, ...], source: str) -> None:
    """Load every tensor by name. Nothing is skipped in silence: any missing, extra or misshapen name is a UserError.

    `ignore` are prefixes of names that the file may have and the module has not (the ImageNet classifier).
    `num_batches_tracked` counters may be absent: files older than them are complete without.
    """
    wanted = module.state_dict()
    given = {name: value for name, value in state.items() if not (ignore and name.startswith(ignore))}
    counters = {name: value for name, value in wanted.items() if name.endswith("num_batches_tracked")}
    given = {**counters, **given}
    missing, extra = sorted(set(wanted) - set(given)), sorted(set(given) - set(wanted))
    both = [name for name in wanted if isinstance(given.get(name), Tensor)]
    strange = sorted(name for name in wanted if name in given and name not in both)
    shapes = [
        f"{name} {tuple(given[name].shape)} for {tuple(wanted[name].shape)}"
        for name in both
        if given[name].shape != wanted[name].shape
    ]
    found = {"missing": missing, "unknown": extra, "of another shape": shapes, "no tensors": strange}
    problems = [f"{len(names)} tensors are {problem}: {_first(names)}" for problem, names in found.items() if names]
    if problems:
        raise UserError(f"{source} does not fit: {'; '.join(problems)}")
    module.load_state_dict(given)


def _first(names: list[str]) -> str:
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
