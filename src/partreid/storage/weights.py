"""Weights files: safetensors, with a JSON header under the key `header` of their metadata.

Such a file is a table of names, shapes and places, then plain numbers; any language reads it, and there is nothing in
it to run. The header's key `sha256` is that of everything else, since the format has no checksum of its own. Files of
earlier versions, torch's own of {"header": JSON, "state": tensors}, are still read, whatever their name; and written
where the package safetensors is not installed.
"""

import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from partreid.errors import UserError, reason
from partreid.storage import foreign, torchfile
from partreid.storage.files import Unwritable, whole
from partreid.storage.places import maker

ENDING = ".safetensors"
DIGEST = "sha256"  # the header's key; files of earlier versions have none
AGAIN = f"{foreign.AGAIN}; of what other toolboxes released, `python stages/convert.py` makes weights (docs/use.md)"
EXPECTED = "weights that partreid saved, such as runs/<model>-<data set>/weights.safetensors"


def save(path: Path, header: Mapping[str, Any], state: Mapping[str, Tensor]) -> None:
    """Write header and tensors, whole or not at all. The same content is the same bytes."""
    # safetensors wants tensors that lie row by row and share no memory
    rows = {name: value.detach().cpu().clone(memory_format=torch.contiguous_format) for name, value in state.items()}
    # a single key: the order of several differs from run to run
    plain = json.loads(json.dumps(header))  # as it will be read: tuples are lists, keys are text
    metadata = {"header": json.dumps({**plain, DIGEST: _digest(plain, rows)}, sort_keys=True)}
    try:
        from safetensors import SafetensorError
        from safetensors.torch import save_file
    except ImportError:
        torchfile.save(path, {**metadata, "state": rows})
        return
    try:
        with whole(path) as temporary:
            temporary.touch()
            mode = temporary.stat().st_mode  # the umask's: safetensors makes a file that nobody but its owner may read
            save_file(rows, temporary, metadata)
            temporary.chmod(mode)
    except SafetensorError as error:
        if said := re.search(r"\(os error (\d+)\)", str(error)):
            raise Unwritable(int(said[1]), os.strerror(int(said[1])), str(path)) from error
        raise UserError(f"{path} cannot be written ({reason(error)}); is the disk full?") from error


def header(path: Path) -> dict[str, Any]:
    """The header alone, without reading the tensors. UserError when there is none."""
    return _read(path, tensors=False)[0]


def read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Header and tensors, on the CPU. UserError when it is missing, damaged or no weights file of ours."""
    return _read(path, tensors=True)


def _read(path: Path, tensors: bool) -> tuple[dict[str, Any], dict[str, Tensor]]:
    if not path.is_file():
        made = f"; `{command}` trains them, or takes them out of DVC's cache" if (command := maker(path)) else ""
        raise UserError(f"no weights {path}{made}")
    if _of_torch(path):
        content = torchfile.load(path, AGAIN)
        if not {"header", "state"} <= content.keys():
            raise UserError(
                f"{path} is no weights file of partreid, but {foreign.kinds_of(content)}, expected {EXPECTED}; {AGAIN}"
            )
        text, state = content["header"], content["state"]
    else:
        import safetensors  # here, so that machines that only train do without it

        try:
            with safetensors.safe_open(path, "pt") as file:
                text = (file.metadata() or {}).get("header")
                state = {name: file.get_tensor(name) for name in file.keys()} if tensors else {}  # noqa: SIM118
        except (safetensors.SafetensorError, RuntimeError) as error:
            kind = foreign.what(path)
            found = reason(error) if kind in ("", "a safetensors file") else f"it is {kind}"
            raise UserError(f"{path} is damaged or no weights file ({found}), expected {EXPECTED}; {AGAIN}") from error
    try:
        if text is None:
            raise TypeError("it is a safetensors file without our header")
        found = json.loads(text)
        if not (isinstance(found, dict) and isinstance(state, dict) and all(map(torch.is_tensor, state.values()))):
            raise TypeError("its header or its tensors are no table")
    except (TypeError, ValueError) as error:
        raise UserError(
            f"{path} is no weights file of partreid ({reason(error)}), expected {EXPECTED}; {AGAIN}"
        ) from error
    written = found.pop(DIGEST, None)
    if tensors and written is not None and written != _digest(found, state):
        raise UserError(f"{path} is damaged: its numbers are not those that were written (by their SHA-256); {AGAIN}")
    return found, state


def _digest(header: Mapping[str, Any], state: Mapping[str, Tensor]) -> str:
    """SHA-256 of the header and of every tensor's name, type, shape and bytes, in the order of their names."""
    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for name, value in sorted(state.items()):
        digest.update(f"{name} {value.dtype} {list(value.shape)}".encode())
        digest.update(value.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _of_torch(path: Path) -> bool:
    """Whether torch wrote it: a zip archive, or a pickle in its older form."""
    with path.open("rb") as file:
        start = file.read(2)
    return start in (b"PK", b"\x80\x02")
