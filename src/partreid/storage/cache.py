"""The contract of every tool output and label cache: a header, one status per image, alignment with the image table.

Files are chunked npz (partreid.storage.chunks) or Parquet (partreid.storage.columns), with a member `status` uint8 (n,)
beside the arrays. A reader cannot tell which tool filled a cache except from the header:

    schema           version of this contract
    kind             "tool" or "label", and its name: "tool/blazepose", "label/pifpaf"
    tool             blazepose, truth, ...
    tool_version     of the program that ran
    weights          sha256 of the network's weights, null where the tool has none
    parameters       of this step; a label's header has the tool's under `tool_parameters`
    table            sha256 of the image table file it was made for
    gives            a tool's output: its members beside status and score
    images           N, and how many are `ok`, `missing` (nobody found) and `failed` (damaged)
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from partreid.errors import UserError
from partreid.storage import chunks, columns
from partreid.storage.files import sha256

SCHEMA = 1
OK, MISSING, FAILED = 0, 1, 2
STATUS = ("ok", "missing", "failed")


def header(
    kind: str, tool: str, tool_version: str, weights: str | None, parameters: Mapping[str, Any], table: str
) -> dict[str, Any]:
    """The header without its counts; see the module's docstring. `table` is the sha256 of the image table's file."""
    return {
        "schema": SCHEMA,
        "kind": kind,
        "tool": tool,
        "tool_version": tool_version,
        "weights": weights,
        "parameters": dict(parameters),
        "table": table,
    }


def label_header(label: str, native: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The header, without its counts, of a label made from a tool's output with header `native`."""
    made = header(
        f"label/{label}", native["tool"], native["tool_version"], native["weights"], parameters, native["table"]
    )
    return {**made, "tool_parameters": native["parameters"]}


def counted(head: Mapping[str, Any], status: np.ndarray) -> dict[str, Any]:
    """`head` with the counts of a status array (N,)."""
    counts = np.bincount(status, minlength=len(STATUS))
    return {**head, "images": len(status), **{name: int(counts[i]) for i, name in enumerate(STATUS)}}


class Cache:
    """An opened cache file, checked against the image table.

    status: uint8 (N,), OK, MISSING or FAILED per image_id. header: see the module's docstring.
    Raises UserError when the file is missing, damaged, of another kind or schema, or made for another image table.
    """

    def __init__(self, path: Path, kind: str, table: Path):
        self.path = path
        kind_of_file = columns if path.suffix == ".parquet" else chunks
        self._reader: chunks.Reader | columns.Reader = kind_of_file.Reader(path)
        self.header = self._reader.header
        self._expect("schema", SCHEMA, "delete it and run `dvc repro`")
        self._expect("kind", kind, "delete it and run `dvc repro`")
        self._expect("table", sha256(table), f"it was made for another {table}: run `dvc repro` to make it again")
        self.status = self._reader.all("status")
        self._expect("images", len(self.status), "it is damaged: delete it and run `dvc repro`")

    def _expect(self, key: str, value: Any, remedy: str) -> None:
        found = self.header.get(key)
        if found != value:
            raise UserError(f"{self.path}: header has {key} = {found!r}, expected {value!r}; {remedy}")

    def rows(self, name: str, image_ids: np.ndarray) -> np.ndarray:
        """Rows of array `name` by image_id: (len(image_ids), ...), in the order asked. UserError for unknown ids."""
        image_ids = np.asarray(image_ids, dtype=np.int64)
        outside = image_ids[(image_ids < 0) | (image_ids >= len(self.status))]
        if len(outside):
            raise UserError(f"{self.path} holds images 0..{len(self.status) - 1}, not {outside[0]}")
        return self._reader.rows(name, image_ids)
