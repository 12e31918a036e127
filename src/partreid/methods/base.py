"""What the training loop, the embedding stage and the report ask of a method."""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor, nn

from partreid import backbones
from partreid.backbones.base import Backbone
from partreid.errors import UserError, choose
from partreid.inputs.batch import Batch, Inputs
from partreid.layers import shares
from partreid.layers.layout import gradient_channels_last

Persons = Iterable[tuple[Tensor, Tensor]]
"""Identity by identity: its training rows, int64 (n,), and their images as they are, float32 (n, 3, H, W)."""


class Learner(nn.Module, ABC):
    """What the loop trains: a method or a pre-training.

    backbone: the sub-module that ImageNet weights are loaded into. mixed: whether backbones run in bfloat16.
    labels: the label kinds that training reads. made: labels that `begin_epoch` made, by kind: uint8 (N, h, w), a row
    per training row, or none yet; the run writes them where stages/inspect.py finds them (partreid.labels.made).
    classifiers: loss term -> how many cross-entropies over the identities it sums up.
    reads_clean: whether training reads the images before the erasing too.
    frozen: the layers that training leaves as they are, statistics of batch norms too.
    """

    labels: tuple[str, ...] = ()
    made: Mapping[str, Tensor] = {}
    classifiers: Mapping[str, float] = {}
    backbone: Backbone
    mixed: bool = False
    reads_clean: bool = False
    frozen: tuple[nn.Module, ...] = ()

    def feature_map(self, images: Tensor, backbone: nn.Module | None = None) -> Tensor:
        """Features in float32, (B, C, h, w), of `backbone`, by default the learner's own.

        Only backbones ever run in bfloat16, and MPN's first convolutions, which are on every place what a backbone's
        layers are: pooling, distances and losses would lose what they compare. Where several processes train, each runs
        the backbone on its share of the images, and all get all features.
        """
        with torch.autocast(images.device.type, torch.bfloat16, enabled=self.mixed):
            features = shares.everywhere(self.backbone if backbone is None else backbone, images)
        features = features.float()
        return gradient_channels_last(features) if features.device.type == "cpu" else features

    def freeze(self) -> None:
        """Let the backbone's layers up to stride 4 keep the weights that they have now."""
        self.frozen = tuple(layer.requires_grad_(False).eval() for layer in self.early())

    def early(self) -> Sequence[nn.Module]:
        """The layers that `freeze` means."""
        return self.backbone.early()

    def train(self, mode: bool = True) -> Self:
        """As of every module; what is frozen stays in test mode."""
        super().train(mode)
        for layer in self.frozen:
            layer.eval()
        return self

    def load_initial(self, backbone: str) -> None:
        """Load published weights: those of ImageNet into the backbone, whose registered name is given."""
        backbones.load_imagenet(self.backbone, backbone)

    def parameter_groups(self, weight_decay: float) -> list[dict[str, Any]]:
        """The optimiser's groups. A group with `rate` learns with that share of the learning rate."""
        return [{"params": list(self.parameters()), "weight_decay": weight_decay}]

    def begin_training(self) -> None:
        """Called when published and pre-trained weights are in place and nothing has learned yet; before a run is
        resumed, again. What an earlier training of the method brings (train.start_from) comes after it."""

    def begin_epoch(self, epoch: int, persons: Persons) -> None:
        """Called before every epoch, for methods that look at the training set as a whole. In training mode."""

    @abstractmethod
    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """The weighted terms of the loss, by name; their sum is minimised."""


class Method(Learner):
    """A part-aligned (or global) re-identification method.

    distance: a name of partreid.evaluation.distances. labels_at_test: the label kinds that the embedding needs.
    starts_from: sub-module -> the pre-training (partreid.pretraining) whose sub-module of that name it starts as.
    compares: whether its losses compare images of one person, which then must come together in a batch.
    """

    distance: str
    compares: bool = True
    labels_at_test: tuple[str, ...] = ()
    starts_from: Mapping[str, str] = {}

    @abstractmethod
    def embed(self, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """Features (B, P, D), visibility (B, P) of 0 and 1."""

    def use(self) -> None:
        """Choose how images are embedded: a method may have keyword arguments, the keys of its block `at_test`."""

    @abstractmethod
    def part_names(self) -> tuple[str, ...]:
        """The names of the P embedded parts."""

    def maps(self, inputs: Inputs) -> Tensor:
        """Attention of each embedded part: (B, P, h, w) in 0..1; P = 0 if there is none."""
        return inputs.images.new_zeros(inputs.images.shape[0], 0, 1, 1)


def meet(method: Method, images_per_id: int, name: str, recipe: str) -> None:
    """UserError where the method's losses compare images of one person, and no batch of the recipe has two."""
    if method.compares and images_per_id < 2:
        raise UserError(
            f"params.yaml: methods.{name} with recipe {recipe}: images_per_id is 1, but {name} compares "
            "images of a person with each other; give it 2 or more, as 16 x 4"
        )


@dataclass(frozen=True)
class Trained:
    """A trained method with what is needed to use it: `header` records how it came to be."""

    method: Method
    height: int
    width: int
    header: dict[str, Any]

    def use(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """Have the method embed as wanted, the keys of its block `at_test`; what it now does.

        Weights converted from a released network (partreid.checkpoints) bring how that one is used, which goes before.
        """
        chosen = {**wanted, **self.header.get("at_test", {})}
        known = inspect.signature(self.method.use).parameters
        for name in chosen:
            choose(known, name, "choice for a test (at_test)")
        self.method.use(**chosen)
        return chosen
