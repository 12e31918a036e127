"""The two labels that are compared: each made in memory from a tool's output, or read from a label cache."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from partreid.errors import UserError, choose
from partreid.labels import LABELS, native
from partreid.quality.images import Images
from partreid.storage.cache import Cache
from partreid.storage.pieces import rows
from partreid.tools import TOOLS

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Side:
    """One of the two."""

    name: str
    header: Mapping[str, Any]  # of the label
    status: np.ndarray  # uint8 (N,), of every image, in the file below; a label's own, in `arrays`, may be worse
    arrays: Callable[[np.ndarray], Arrays]  # image ids (n,), ascending -> status and the label's members, (n, ...)
    cache: Cache  # the label cache, or the tool's output


def open_side(word: str, label: str, members: tuple[str, ...], images: Images, options: Mapping[str, Any]) -> Side:
    """A side from a tool's name, or from the path of a label cache (a word with a slash, or ending in npz or parquet).

    members: of the label, that will be asked for. options: of the label, for a tool; a member that the label takes from
    a second tool (labels.base.Label.beside) is the tool's own where it has it. UserError when it cannot be had.
    """
    names = ("status", *members)
    if "/" in word or Path(word).suffix in (".npz", ".parquet"):
        if not Path(word).is_file():
            raise UserError(f"no file {word}; give a tool ({', '.join(sorted(TOOLS))}) or the path of a label cache")
        made = Cache(Path(word), f"label/{label}", images.file)
        return Side(word, made.header, made.status, lambda ids: {name: made.rows(name, ids) for name in names}, made)
    choose(TOOLS, word, "tool")
    output = native.output(word, images.name, images.file)
    own = {member: word for member in LABELS[label].beside if member in output.header["gives"]}
    header, work = native.build(label, word, images.name, images.table, images.file, {**options, **own})
    return Side(word, header, output.status, lambda ids: rows(work, ids, names), output)
