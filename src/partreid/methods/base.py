"""What the training loop, the embedding stage and the report ask of a method."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from partreid.backbones.base import Backbone


@dataclass(frozen=True)
class Batch:
    """A training batch. images: float32 (B, 3, H, W), normalised. pid: int64 (B,), 0..identities-1.

    labels: per label kind a tensor (B, ...) that has gone through the same flip, crop and erasing as the image.
    labelled: per label kind bool (B,); False where the tool found nobody, so that the label says nothing.
    """

    images: Tensor
    pid: Tensor
    labels: dict[str, Tensor] = field(default_factory=dict)
    labelled: dict[str, Tensor] = field(default_factory=dict)

    def to(self, device: torch.device) -> "Batch":
        """The same batch on a device."""

        def moved(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
            return {name: tensor.to(device) for name, tensor in tensors.items()}

        images = self.images.to(device, memory_format=torch.channels_last)
        return Batch(images, self.pid.to(device), moved(self.labels), moved(self.labelled))


class Method(nn.Module, ABC):
    """A part-aligned (or global) re-identification method.

    backbone: the sub-module that ImageNet weights are loaded into. mixed: whether it runs in bfloat16.
    labels: the label kinds that training reads. distance: a name of partreid.evaluation.distances.
    """

    labels: tuple[str, ...] = ()
    distance: str
    backbone: Backbone
    mixed: bool = False

    def feature_map(self, images: Tensor) -> Tensor:
        """The backbone's features in float32, (B, C, h, w).

        Only the backbone ever runs in bfloat16: pooling, distances and losses would lose what they compare.
        """
        with torch.autocast(images.device.type, torch.bfloat16, enabled=self.mixed):
            features = self.backbone(images)
        return features.float()

    @abstractmethod
    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """The weighted terms of the loss, by name; their sum is minimised."""

    @abstractmethod
    def embed(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """images (B, 3, H, W) -> features (B, P, D), visibility (B, P) of 0 and 1."""

    @abstractmethod
    def part_names(self) -> tuple[str, ...]:
        """The names of the P embedded parts."""

    def maps(self, images: Tensor) -> Tensor:
        """Attention of each embedded part: images (B, 3, H, W) -> (B, P, h, w) in 0..1; P = 0 if there is none."""
        return images.new_zeros(len(images), 0, 1, 1)
