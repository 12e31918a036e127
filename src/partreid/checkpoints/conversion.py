"""From a released file to a method of ours with its weights."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from partreid import backbones, methods
from partreid.checkpoints import contents, torch_files
from partreid.checkpoints.families import FAMILIES
from partreid.checkpoints.families.base import Described, Family
from partreid.checkpoints.tables import COUNTERS, Renamed, fitted, renamed
from partreid.errors import UserError, reason
from partreid.layers.undrawn import undrawn
from partreid.layers.unfilled import unfilled
from partreid.methods.base import Method


@dataclass(frozen=True)
class Converted:
    """described: what the file says of the network. options: the method's keyword arguments. taken: published names
    that went into the method; unused: those without a place; ours_alone: our names that start at random."""

    method: Method
    described: Described
    options: Mapping[str, Any]
    taken: Sequence[str]
    unused: Sequence[str]
    ours_alone: Sequence[str]


def convert(family: Family, file: Path, options: Mapping[str, Any], changes: Mapping[str, Any]) -> Converted:
    """Read a released file into a method of ours, in evaluation mode.

    options: the method's keyword arguments; what the file says, and then `changes`, are laid over them. UserError when
    a tensor that a test needs is missing or has another shape, or one of theirs has a place in no row of the table.
    """
    content = torch_files.load(file)
    every = contents.tensors(content, file)
    try:
        given = family.split(every)
        described = family.describe(given, content)
        chosen = {**options, **described.options, **changes}
        if unknown := sorted(set(changes) - set(options)):
            raise UserError(f"{family.method} has no value {unknown[0]}; known: {', '.join(sorted(options))}")
        with undrawn():
            method = _built(family.method, described, chosen)
        names = renamed(given, family.table)
        state, alone = _state(method, names, given, family.ours_alone)
        if alone:
            drawn = _built(family.method, described, chosen).state_dict()
            state |= {name: drawn[name] for name in alone}
    except UserError as error:
        others = [name for name, of in FAMILIES.items() if of is not family and _named(of, every, content)]
        hint = f". By the names of its tensors it is of the family {' or '.join(others)}" if others else ""
        raise UserError(f"{file} does not fit {family.method} of {family.published}: {error}{hint}") from error
    method.load_state_dict(state)
    taken = [each for of in names.places.values() for each in of]
    return Converted(method.eval(), described, chosen, taken, names.unused, alone)


def _named(family: Family, given: contents.Tensors, content: Any) -> bool:
    """Whether a file's names are of the family: its table knows all, and finds the whole backbone among them."""
    try:
        split = family.split(given)
        described, names = family.describe(split, content), renamed(split, family.table)
    except UserError:
        return False
    with unfilled():
        backbone = backbones.build(described.backbone)
    inside = {name.removeprefix("backbone.") for name in names.places if name.startswith("backbone.")}
    wanted = {name for name in backbone.state_dict() if not name.endswith(COUNTERS)}
    return not names.unknown and {name for name in inside if not name.endswith(COUNTERS)} == wanted


def _built(name: str, described: Described, chosen: Mapping[str, Any]) -> Method:
    """The method, its weights drawn from one seed. UserError where the values are of no network."""
    torch.manual_seed(0)
    try:
        return methods.build(name, backbone=described.backbone, identities=described.identities or 2, **chosen)
    except (TypeError, ValueError, RuntimeError) as error:  # what torch makes of a width of -1 or "abc"
        raise UserError(f"{name} cannot be built with {dict(chosen)}: {reason(error)}") from error


def _state(
    method: Method, names: Renamed, given: contents.Tensors, may_lack: tuple[str, ...]
) -> tuple[dict[str, Tensor], list[str]]:
    """The method's whole state, and which of its names the file does not give."""
    if names.unknown:
        raise UserError(
            f"{len(names.unknown)} of its tensors are in no row of the table of names: {_first(names.unknown)}; it is "
            "of a network that computes more"
        )
    state, alone, missing = {}, [], []
    for name, value in method.state_dict().items():
        if name in names.places:
            state[name] = fitted(given, names.places[name], value, name)
        else:
            state[name] = value
            alone.append(name)
            if not name.endswith(COUNTERS) and not name.startswith(may_lack):
                missing.append(name)
    if missing:
        raise UserError(f"it has nothing for {len(missing)} tensors that a test needs: {_first(missing)}")
    if extra := sorted(set(names.places) - set(state)):
        raise UserError(f"{len(extra)} of its tensors have a name but no place here: {_first(extra)}")
    return state, [name for name in alone if not name.endswith(COUNTERS)]


def _first(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
