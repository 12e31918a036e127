"""Labels of photos that belong to no data set, for the methods that need some in a test: made as a data set's are."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from partreid.errors import choose
from partreid.inputs.kinds import MEMBERS, Label
from partreid.labels import native
from partreid.storage.cache import OK, Cache
from partreid.storage.files import fingerprint
from partreid.storage.pieces import Program, Work, rows
from partreid.tools import TOOLS
from partreid.tools.base import Images

OF_A_SET = ("poses",)  # labels that say where an image stands among all images of its data set: single photos have none

Write = Callable[[Path, Mapping[str, Any], Work | Program, int, int | None, str], object]
"""(file, header, work, images, processes, title): does a tool's work and writes its output, as storage.pieces.write."""


@dataclass(frozen=True)
class Way:
    """How a label is made, as params.yaml says it."""

    tool: str
    options: Mapping[str, Any]  # the label's own keyword arguments; those of labels.base.Label.beside name tools
    tools: Mapping[str, Mapping[str, Any]]  # name -> keyword arguments; of these at least the tools named above


def made(kind: str, way: Way, images: Images, write: Write) -> Label:
    """The label of this kind, not one of OF_A_SET, of N images.

    What the tools see is written beside the images' table and not looked at again where nothing has changed. UserError
    when a tool is unknown, or does not give what the label needs.
    """
    outputs = partial(_seen, tools=way.tools, images=images, write=write)
    _, work = native.made_of(kind, way.tool, outputs, images.table, way.options)
    found = rows(work, np.arange(len(images.table)), ("status", *MEMBERS[kind]))
    return Label({name: found[name] for name in MEMBERS[kind]}, found["status"] == OK)


def _seen(name: str, tools: Mapping[str, Mapping[str, Any]], images: Images, write: Write) -> Cache:
    tool = choose(TOOLS, name, "tool")
    header, work = tool.build(images, **choose(tools, name, "tool with values (`tools` in params.yaml)"))
    header["gives"] = list(tool.gives)
    file = images.file.parent / f"{name}-{fingerprint(header)}.npz"
    if not file.is_file():
        write(file, header, work, len(images.table), tool.processes, f"{name} of the photos")
    return Cache(file, f"tool/{name}", images.file)
