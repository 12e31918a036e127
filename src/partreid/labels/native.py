"""From a tool's output on disk to a label's work."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from partreid.errors import UserError, choose
from partreid.labels import LABELS
from partreid.storage.cache import Cache
from partreid.storage.pieces import Work


def file(tool: str, dataset: str) -> Path:
    """Where a tool's output lies."""
    return Path(f"data/tools/{tool}/{dataset}.npz")


def output(tool: str, dataset: str, table_file: Path) -> Cache:
    """What a tool said of a data set. UserError when it is missing, damaged or made for another image table."""
    path = file(tool, dataset)
    if not path.is_file():
        raise UserError(f"no {path}; `dvc repro data/dvc.yaml:tool@{tool}-{dataset}` makes it")
    opened = Cache(path, f"tool/{tool}", table_file)
    if "gives" not in opened.header:
        raise UserError(f"{path} was made by an older partreid; delete it and run `dvc repro` to make it again")
    return opened


def build(
    name: str, tool: str, dataset: str, table: pa.Table, table_file: Path, options: Mapping[str, Any]
) -> tuple[dict[str, Any], Work]:
    """Header and work of label `name` from a tool's output. options: the label's block in params.yaml.

    Options named in the label's `beside` hold a tool's name; that tool's opened output takes its place.
    UserError when a tool's output is missing, stale, or lacks what the label needs.
    """
    return made_of(name, tool, lambda each: output(each, dataset, table_file), table, options)


def made_of(
    name: str, tool: str, outputs: Callable[[str], Cache], table: pa.Table, options: Mapping[str, Any]
) -> tuple[dict[str, Any], Work]:
    """As `build`. outputs: a tool's name -> its opened output."""
    label = choose(LABELS, name, "label")
    native = outputs(tool)
    if not label.fed_by(native.header["gives"]):
        wanted = " or ".join("+".join(members) for members in label.needs)
        raise UserError(f"label {name} needs {wanted}; tool {tool} gives {', '.join(native.header['gives'])}")
    options = dict(options)
    for member in label.beside:
        other = options[member]
        options[member] = outputs(other)
        if member not in options[member].header["gives"]:
            raise UserError(f"labels.{name}.{member} is {other}, a tool that gives no {member}")
    return label.build(native, table, **options)
