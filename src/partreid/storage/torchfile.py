"""Files of tensors, written whole or not at all and read without executing anything in them."""

from pathlib import Path
from typing import Any

import torch

from partreid.errors import UserError
from partreid.storage.files import whole


def save(path: Path, content: dict[str, Any]) -> None:
    """Write a dictionary of tensors, numbers and strings."""
    with whole(path) as temporary, temporary.open("wb") as file:
        torch.save(content, file)  # to a path it would write the temporary name into the file


def load(path: Path, remedy: str) -> dict[str, Any]:
    """Read such a file, tensors on the CPU. UserError "<path> is damaged ...; <remedy>" when it cannot be read."""
    try:
        with path.open("rb") as file:  # by its path torch would read it otherwise, were it called .safetensors
            return torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # the restricted unpickler raises whatever a damaged byte leads it to
        raise UserError(f"{path} is damaged or no weights file ({error}); {remedy}") from error
