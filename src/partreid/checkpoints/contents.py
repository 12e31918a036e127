"""Where in what a released file holds the tensors of its network are, and what it says of its training."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from partreid.checkpoints.machine import Foreign
from partreid.checkpoints.torch_files import Stored
from partreid.errors import UserError

PLACES = ("state_dict", "model_state_dict", "model", "net", "network", "params", "state")

Tensors = dict[str, Stored | Tensor]


def tensors(content: Any, path: Path) -> Tensors:
    """The named tensors of the network: a state dict, one inside a dictionary, or those of a whole saved module.

    A leading `module.`, which data-parallel training adds, is dropped. UserError when there are none.
    """
    found = _found(content)
    if found is None:
        held = f"keys {', '.join(map(str, list(content)[:8]))}" if isinstance(content, Mapping) else repr(content)[:80]
        raise UserError(f"{path} holds no state_dict; found {held}, expected one of {', '.join(PLACES)}")
    while found and all(name.startswith("module.") for name in found):
        found = {name.removeprefix("module."): value for name, value in found.items()}
    return found


def _found(content: Any) -> Tensors | None:
    if isinstance(content, Foreign):
        return _of_module(content) or None
    if not isinstance(content, Mapping):
        return None
    if named := {str(name): value for name, value in content.items() if isinstance(value, Stored | Tensor)}:
        return named
    for place in PLACES:
        if place in content and (inside := _found(content[place])):
            return inside
    return None


def _of_module(module: Foreign) -> Tensors:
    """The tensors of a saved module by their dotted names, as its state_dict() would have them."""
    found: Tensors = {}
    todo, seen = [("", module)], set()
    while todo:
        prefix, here = todo.pop()
        if id(here) in seen or not isinstance(here.state, Mapping):
            continue
        seen.add(id(here))
        for kind in ("_parameters", "_buffers"):
            inside = here.state.get(kind)
            for name, value in inside.items() if isinstance(inside, Mapping) else ():
                if isinstance(value, Stored):
                    found[f"{prefix}{name}"] = value
        modules = here.state.get("_modules")
        for name, value in modules.items() if isinstance(modules, Mapping) else ():
            if isinstance(value, Foreign):
                todo.append((f"{prefix}{name}.", value))
    return found


def setting(content: Any, *path: str) -> Any:
    """A value of the configuration that was saved beside the weights, as setting(content, "data", "height"); or None.

    The configuration is an object of a foreign class or a dictionary, under the key `config` or `cfg`.
    """
    here = content.get("config", content.get("cfg")) if isinstance(content, Mapping) else None
    for name in path:
        options = here.items if isinstance(here, Foreign) else here
        here = options.get(name) if isinstance(options, Mapping) else None
    return here
