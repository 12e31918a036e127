"""What a method's sub-module is trained to do before the method's own training: one file each.

A pre-training is a Learner (partreid.methods.base) without an embedding. A method names it in `starts_from`, and takes
over the sub-module that has the same name in both. Its values are params.yaml's block `pretraining.<name>`.
"""

from collections.abc import Collection
from typing import Any

import torch

from partreid.errors import choose
from partreid.methods.base import Learner, Method
from partreid.pretraining.ide import IDE
from partreid.pretraining.parsing import Parsing
from partreid.pretraining.partmaps import PartMaps

PRETRAININGS: dict[str, type[Learner]] = {"ide": IDE, "partmaps": PartMaps, "parsing": Parsing}


def build(name: str, *, backbone: str, identities: int, **options: Any) -> Learner:
    """A pre-training by its key, with random weights."""
    return choose(PRETRAININGS, name, "pre-training")(backbone=backbone, identities=identities, **options)


def initial(name: str, seed: int, *, backbone: str, identities: int, **options: Any) -> Learner:
    """A pre-training as it starts: new layers random by the seed, backbones with published weights."""
    torch.manual_seed(seed)
    learner = build(name, backbone=backbone, identities=identities, **options)
    learner.load_initial(backbone)
    return learner


def labels_of(method: Method, idle: Collection[str] = ()) -> list[str]:
    """The label kinds that a method and the pre-trainings that it starts from learn from.

    idle: pre-trainings of no epochs, which learn from none.
    """
    learning = [by for by in method.starts_from.values() if by not in idle]
    return list(dict.fromkeys([*method.labels, *(kind for by in learning for kind in PRETRAININGS[by].labels)]))
