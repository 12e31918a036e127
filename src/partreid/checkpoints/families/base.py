"""What a family of released checkpoints is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from partreid.checkpoints.contents import Tensors
from partreid.checkpoints.tables import Table


@dataclass(frozen=True)
class Described:
    """What a file's tensors and settings say of its network.

    identities: 0 where the file has no classifier. options: the method's keyword arguments that are not the paper's
    values, those that the published network computes differently among them. size: height and width of its images,
    where the file says it. notes: what a person should know.
    """

    backbone: str
    identities: int
    options: Mapping[str, Any] = field(default_factory=dict)
    size: tuple[int, int] | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Family:
    """method: ours that it becomes. published: whose networks. table: see partreid.checkpoints.tables.

    describe: (tensors, whole content of the file) -> Described. at_test: how the published network is used in a test.
    ours_alone: beginnings of our names that a file may lack, as a test does without. split: turns tensors that no row
    of a table could rename into such that can.
    """

    method: str
    published: str
    table: Table
    describe: Callable[[Tensors, Any], Described]
    at_test: Mapping[str, Any] = field(default_factory=dict)
    ours_alone: tuple[str, ...] = ()
    split: Callable[[Tensors], Tensors] = lambda given: given
