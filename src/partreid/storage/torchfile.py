"""Files of tensors, written whole or not at all and read without executing anything in them."""

import warnings
from pathlib import Path
from typing import Any

import torch

from partreid.errors import UserError, reason
from partreid.storage import foreign
from partreid.storage.files import whole

EXPECTED = "a file of named tensors that torch wrote"


def save(path: Path, content: dict[str, Any]) -> None:
    """Write a dictionary of tensors, numbers and strings."""
    try:
        with whole(path) as temporary, temporary.open("wb") as file:
            torch.save(content, file)  # to a path it would write the temporary name into the file
    except RuntimeError as error:  # what torch makes of a write that failed
        raise UserError(f"{path} cannot be written ({reason(error)}); is the disk full?") from error


def load(path: Path, remedy: str) -> dict[str, Any]:
    """Read such a file, tensors on the CPU.

    UserError "<path> is <what it is instead> ...; <remedy>" when it is none, is damaged, or would have to be run.
    """
    try:
        # by its path torch would read it otherwise, were it called .safetensors
        with path.open("rb") as file, warnings.catch_warnings(action="ignore"):
            content = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # the restricted unpickler raises whatever a damaged byte leads it to
        kind = foreign.what(path)
        found = f"it is {kind}" if kind else "its bytes are none that torch writes"  # torch's own words are advice
        if kind in ("a file of torch", "a pickle"):
            found = "cut, or it holds Python objects beside its tensors, which are never run"
        raise UserError(f"{path} is damaged or no weights file ({found}), expected {EXPECTED}; {remedy}") from error
    if not (isinstance(content, dict) and all(isinstance(key, str) for key in content)):
        raise UserError(f"{path} is {foreign.kinds_of(content)}, expected {EXPECTED}; {remedy}")
    return content
