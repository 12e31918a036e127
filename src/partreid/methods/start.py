"""Training that starts from another training's weights, such as CUHK01 from CUHK03's."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from partreid.errors import UserError
from partreid.layers.unfilled import unfilled
from partreid.methods import build
from partreid.params import start_file
from partreid.storage import weights


def there(start_from: str) -> Path | None:
    """The file that training starts from by train.start_from; None for ImageNet's weights. UserError if absent."""
    path = start_file(start_from)
    if path is not None and not path.is_file():
        raise UserError(f"no file {path} (train.start_from); copy there the weights of an earlier training")
    return path


def load_start(method: torch.nn.Module, path: Path, name: str, *, identities: int, **arguments: Any) -> dict[str, Any]:
    """Load a weights file into a method that `methods.build(name, identities=..., **arguments)` made. Its header.

    Classifiers keep their random weights: every tensor whose shape depends on the number of persons. UserError as
    `fitting`.
    """
    header, state = fitting(method.state_dict(), path, name, identities=identities, **arguments)
    method.load_state_dict(state, strict=False)
    return header


def fitting(
    own: Mapping[str, torch.Tensor], path: Path, name: str, *, identities: int, **arguments: Any
) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """Header of a weights file, and what of it goes into a method with the tensors `own`; else see load_start.

    UserError when the file is of another method, or any tensor that is no classifier's is missing, unknown or of
    another shape.
    """
    header, state = weights.read(path)
    if header.get("model") != name:
        raise UserError(f"{path} holds weights of {header.get('model')}, expected {name} (train.start_from)")
    with unfilled():
        more = build(name, identities=identities + 1, **arguments).state_dict()
    classifiers = {key for key, value in own.items() if value.shape != more[key].shape}
    wanted = {key: tuple(value.shape) for key, value in own.items() if key not in classifiers}
    given = {key: tuple(value.shape) for key, value in state.items() if key not in classifiers}
    if problems := [
        f"{key} is {_told(given.get(key))}, expected {_told(wanted.get(key))}"
        for key in sorted(wanted.keys() | given.keys())
        if wanted.get(key) != given.get(key)
    ]:
        more_of_them = f" and {len(problems) - 3} more" if len(problems) > 3 else ""
        raise UserError(
            f"{path} does not fit {name} as params.yaml has it: {'; '.join(problems[:3])}{more_of_them}. It was "
            f"trained with backbone {header.get('backbone')} and {header.get('options')}"
        )
    return header, {key: value for key, value in state.items() if key not in classifiers}


def _told(shape: tuple[int, ...] | None) -> str:
    return "absent" if shape is None else str(shape)
