"""Where files lie that a tool wrote elsewhere: for a whole data set, or for each of its splits.

In params.yaml `tools.<tool>.<option>` maps a data set to a path, or to {split: path}, which tells images of one file
name in several splits apart.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from partreid.errors import UserError
from partreid.params import home
from partreid.tools.base import Images
from partreid.words import counted


@dataclass(frozen=True)
class Given:
    """A file or folder, and whose images' it is."""

    key: str  # of params.yaml, for messages
    path: Path  # it exists
    split: str  # "": all
    rows: tuple[int, ...]  # the images, by their places in the table


def given(images: Images, tool: str, option: str, entries: Mapping[str, Any]) -> list[Given]:
    """What `tools.<tool>.<option>` names for a data set.

    UserError when it names nothing for the data set, a split that the data set has not, what is no path, or what does
    not exist. The splits that it leaves out, whose images are all without a file, are printed.
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
    unknown = [split for split in named if split not in splits]
    if unknown or not named:
        raise UserError(
            f"{key} names {f'the split {unknown[0]!r}' if unknown else 'no split'}; {images.dataset} has "
            f"{', '.join(dict.fromkeys(splits))}"
        )
    if silent := Counter(split for split in splits if split not in named):
        told = ", ".join(f"{counted(number, 'image')} of {split}" for split, number in silent.items())
        print(f"{key} names nothing for {told}: nobody is found in them")
    return [
        Given(f"{key}.{split}", _there(f"{key}.{split}", path), split, tuple(_rows(splits, split)))
        for split, path in named.items()
    ]


def _there(key: str, named: object) -> Path:
    if not isinstance(named, str) or not named:
        raise UserError(f"{key} in params.yaml is {named!r}, expected a path")
    path = home(named)
    if not path.exists():
        raise UserError(f"no {path.absolute()}, which {key} in params.yaml names")
    return path


def _rows(splits: list[str], split: str) -> list[int]:
    return [row for row, own in enumerate(splits) if own == split]
