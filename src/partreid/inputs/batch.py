"""What a network is given: images with their labels, in a test and in training."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self

import torch
from torch import Tensor


@dataclass(frozen=True)
class Inputs:
    """What an embedding is made from. images: float32 (B, 3, H, W), normalised.

    labels: per label kind a tensor (B, ...), see partreid.inputs.kinds. labelled: per label kind bool (B,); False
    where the tool found nobody, so that the label says nothing.
    """

    images: Tensor
    labels: Mapping[str, Tensor] = field(default_factory=dict)
    labelled: Mapping[str, Tensor] = field(default_factory=dict)

    def to(self, device: torch.device) -> Self:
        """The same on a device; images in the channels-last layout, on which convolutions run faster."""

        def moved(value: Tensor | Mapping[str, Tensor]) -> Any:
            if isinstance(value, Mapping):
                return {name: moved(tensor) for name, tensor in value.items()}
            return value.to(device, memory_format=torch.channels_last) if value.dim() == 4 else value.to(device)

        return type(self)(**{member.name: moved(getattr(self, member.name)) for member in fields(self)})


@dataclass(frozen=True, kw_only=True)
class Batch(Inputs):
    """A training batch: images and labels that have gone through the same flip, shift and random erasing.

    pid: int64 (B,), 0..identities-1. clean: the images before the erasing, for learners that read them
    (methods.base.Learner.reads_clean), else of none, (0, 3, H, W). rows: int64 (B,), which training row each is.
    changes: float32 (B, 7), what each went through, see partreid.inputs.augmentation.
    """

    pid: Tensor
    clean: Tensor
    rows: Tensor
    changes: Tensor
