"""The methods: one paper, one file. A method is a network with its losses and its embedding."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from partreid import backbones
from partreid.errors import UserError, choose, reason
from partreid.layers.undrawn import undrawn
from partreid.layers.unfilled import unfilled
from partreid.methods.base import Learner, Method, Trained
from partreid.methods.bot import BagOfTricks
from partreid.methods.bpbreid import BPBreID
from partreid.methods.fsam import FSAM
from partreid.methods.mpn import MPN
from partreid.methods.pabr import PABR
from partreid.methods.pah import PAH
from partreid.methods.pcb import PCB
from partreid.storage import weights

METHODS: dict[str, type[Method]] = {
    "bot": BagOfTricks,
    "pcb": PCB,
    "pabr": PABR,
    "mpn": MPN,
    "bpbreid": BPBreID,
    "fsam": FSAM,
    "pah": PAH,
}


def build(name: str, *, backbone: str, identities: int, **options: Any) -> Method:
    """A method by its key, with random weights."""
    return choose(METHODS, name, "model")(backbone=backbone, identities=identities, **options)


def outline(name: str, *, backbone: str, **options: Any) -> Method:
    """A method without its weights, to ask what it learns from and starts from with these options."""
    with unfilled():
        return build(name, backbone=backbone, identities=2, **options)


def initial(
    name: str, seed: int, pretrained: Mapping[str, Path], *, backbone: str, identities: int, **options: Any
) -> Method:
    """A method as training starts it: new layers random by the seed, backbones with published or pre-trained weights.

    pretrained: sub-module -> the weights file of the pre-training that it starts from.
    For a start from a whole earlier training see partreid.methods.start.
    """
    torch.manual_seed(seed)
    method = build(name, backbone=backbone, identities=identities, **options)
    method.load_initial(backbone)
    for part, path in pretrained.items():
        backbones.load_trained(getattr(method, part), part, path)
    method.begin_training()
    return method


def save(path: Path, method: Learner, header: dict[str, Any]) -> None:
    """Write weights and header (partreid.storage.weights), whole or not at all.

    The header must hold `model`, `backbone`, `identities`, `options`, `height` and `width`: enough to build the
    method again without params.yaml.
    """
    weights.save(path, header, method.state_dict())


def load(path: Path) -> Trained:
    """Build the method that a weights file describes and load it, in evaluation mode on the CPU."""
    header, state = weights.read(path)
    try:
        with undrawn():
            method = build(
                header["model"], backbone=header["backbone"], identities=header["identities"], **header["options"]
            )
        method.load_state_dict(state)
    except (RuntimeError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path} is of another version ({reason(error)}); {weights.AGAIN}") from error
    return Trained(method.eval(), header["height"], header["width"], header)
