"""Where files lie that a tool wrote elsewhere: for a whole data set, or for each of its splits.

In params.yaml `tools.<tool>.<option>` maps a data set to a path, or to {split: path}, which tells images of one file
name in several splits apart.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from partreid.errors import UserError
from partreid.params import home
from partreid.tools.base import Images


@dataclass(frozen=True)
class Given:
    """A file or folder, and whose images' it is."""

    key: str  # of params.yaml, for messages
    path: Path  # it exists
    split: str  # "": all
    rows: tuple[int, ...]  # the images, by their places in the table


def given(images: Images, tool: str, option: str, entries: Mapping[str, Any]) -> list[Given]:
    """What `tools.<tool>.<option>` names for a data set.

    UserError when it names nothing for the data set, a split that the data set has not, or what does not exist.
    """
    key = f"tools.{tool}.{option}.{images.dataset}"
    if images.dataset not in entries:
        raise UserError(
            f"tool {tool} does not know where the files of data set {images.dataset} are; set {key} in params.yaml"
        )
    splits = images.table["split"].to_pylist()
    named = entries[images.dataset]
    if not isinstance(named, Mapping):
        return [Given(key, _there(key, named), "", tuple(range(len(splits))))]
    if unknown := sorted(set(named) - set(splits)):
        raise UserError(
            f"{key} names the split {unknown[0]!r}; {images.dataset} has {', '.join(dict.fromkeys(splits))}"
        )
    return [
        Given(f"{key}.{split}", _there(f"{key}.{split}", path), split, tuple(_rows(splits, split)))
        for split, path in named.items()
    ]


def _there(key: str, named: str) -> Path:
    path = home(named)
    if not path.exists():
        raise UserError(f"no {path.absolute()}, which {key} in params.yaml names")
    return path


def _rows(splits: list[str], split: str) -> list[int]:
    return [row for row, own in enumerate(splits) if own == split]
