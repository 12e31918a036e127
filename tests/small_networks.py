"""Methods on a backbone of five convolutions, which take seconds where a published one takes minutes; and photos."""

from functools import cache, partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from partreid import backbones, methods, params
from partreid.backbones.base import Blocks
from partreid.inputs.batch import Inputs
from partreid.inputs.kinds import HEADS
from partreid.methods.base import Trained

PROJECT = Path(__file__).parents[1]
SHAPES = {"pifpaf": (36, 17, 9), "schp": (8, 128, 64), "partmaps": (57, 20, 10)}  # of labels
CLUSTERS = 3


# pabr's part network has to give OpenPose's 185 maps, and its pooling is slow to export at the paper's width
INNER = {
    "pah": {"part_backbone": "tiny"},
    "pabr": {"part_network": "tiny_maps", "appearance": 32, "part": 16, "embedding": 64},
}


class Tiny(Blocks):
    """(B, 3, H, W) -> (B, channels, H / 16, W / 16)."""

    stride = 16

    def __init__(self, channels: int = 16) -> None:
        super().__init__()
        self.channels = channels
        widths = [(3, 8, 2), (8, 8, 2), (8, 8, 2), (8, 16, 2), (16, channels, 1)]
        self.features = nn.Sequential(
            *(
                nn.Sequential(nn.Conv2d(a, b, 3, stride, 1, bias=False), nn.BatchNorm2d(b), nn.ReLU())
                for a, b, stride in widths
            )
        )

    def stem(self, images: Tensor) -> Tensor:
        return self.features[0](images)

    def blocks(self) -> tuple[nn.Module, ...]:
        return tuple(self.features[1:])

    def split(self) -> tuple[nn.Module, nn.Module]:
        return self.features[:3], self.features[3:]


@cache
def loaded(project: Path = PROJECT) -> params.Params:
    """The project's params.yaml, read and checked once for all networks."""
    return params.load(project / "params.yaml")


def register(monkeypatch: Any) -> None:
    """Make it a backbone by the name of tiny, and of tiny_maps with 185 channels, until the test ends."""
    monkeypatch.setitem(backbones.BACKBONES, "tiny", Tiny)
    monkeypatch.setitem(backbones.BACKBONES, "tiny_maps", partial(Tiny, 185))


def small(name: str) -> dict[str, Any]:
    """What makes a method's networks small, for methods.build."""
    return {"backbone": "tiny", **INNER.get(name, {})}


def trained(name: str, backbone: str = "tiny", size: tuple[int, int] | None = None, **changes: Any) -> Trained:
    """A method as params.yaml has it, but for the changes, that has learned nothing but its batch norms' averages.

    Without those all photos' vectors point nearly the same way. size: height and width of its images.
    """
    _, options = loaded().recipe_of(name)
    options = {**options, **(INNER.get(name, {}) if backbone == "tiny" else {}), **changes}
    torch.manual_seed(1)
    method = methods.build(name, backbone=backbone, identities=3, **options)
    height, width = size or ((96, 32) if name in ("mpn", "pcb") else (64, 32))
    header = {"model": name, "backbone": backbone, "identities": 3, "options": options, "dataset": "folder"}
    found = Trained(method, height, width, {**header, "height": height, "width": width})
    settle(found)
    return found


def settle(of: Trained) -> None:
    """Let the batch norms of what a test uses know photos' averages."""
    of.method.eval()
    for norm in of.method.modules():
        if isinstance(norm, nn.modules.batchnorm._BatchNorm):
            norm.momentum = 1.0
            norm.train()
    with torch.no_grad():
        of.method.embed(photos(of, 8))
    of.method.eval()


def photos(of: Trained, count: int, seed: int = 0) -> Inputs:
    """Random patches of colour, as people's clothes are, and labels; every third label says nothing."""
    random = torch.Generator().manual_seed(seed)

    def patches() -> Tensor:
        coarse = torch.randn(count, 3, 4, 2, generator=random)
        fine = torch.randn(count, 3, of.height, of.width, generator=random)
        return F.interpolate(coarse, (of.height, of.width)) + 0.1 * fine

    images, labels = patches(), {}
    for kind in of.method.labels_at_test:
        if kind == HEADS:
            labels[kind] = patches()
        elif kind == "poses":
            labels[kind] = torch.eye(CLUSTERS)[torch.randint(CLUSTERS, (count,), generator=random)]
        else:
            labels[kind] = torch.rand(count, *SHAPES[kind], generator=random)
    return Inputs(images, labels, {kind: torch.arange(count) % 3 > 0 for kind in labels})
