"""The labels that a method needs of the photos of a search, made as for a data set: by the tool that params.yaml names.

They are kept in tmp/search/labels/<photos>/ and used again; unfinished work is taken up.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from partreid.errors import UserError, choose
from partreid.inputs import kinds
from partreid.labels import LABELS, native
from partreid.params import Params
from partreid.storage import image_table, pieces
from partreid.storage.cache import Cache
from partreid.storage.files import fingerprint, scratch_root, sha256
from partreid.tools import TOOLS
from partreid.tools.base import Images

NAME = "photos"  # what stands for the data set's name
OF_A_SET = ("poses",)  # labels that say where an image stands among all images of its data set

Row = Mapping[str, Any]  # path, width, height, sha1


def made(wanted: Sequence[str], photos: Sequence[Row], p: Params) -> dict[str, kinds.Label]:
    """Labels of image files, by kind, a row per photo. UserError for a kind that single photos cannot have."""
    if of_a_set := [kind for kind in wanted if kind in OF_A_SET]:
        raise UserError(
            f"the model needs {', '.join(of_a_set)} labels at test time, which only a whole data set has; make the "
            "photos a data set (data/README.md), or choose another use of the model (at_test in params.yaml)"
        )
    if not wanted:
        return {}
    rows = [{**photo, "split": "gallery", "pid": 1} for photo in photos]
    folder = scratch_root() / "search" / "labels" / fingerprint([[row["path"], row["sha1"]] for row in rows])
    table, index = image_table.build(rows, {}), folder / "index.parquet"
    image_table.write(table, index)
    images = Images(NAME, table, sha256(index), Path(), index)
    result = {}
    for kind in wanted:
        block = choose(p.labels, kind, "label in params.yaml")
        header, work = native.made_of(kind, block.tool, partial(seen, images, p), table, block.options)
        file = folder / f"{kind}{LABELS[kind].suffix}"
        pieces.write(file, {**header, "version": block.version}, work, len(rows), 1, f"{kind} of the photos")
        result[kind] = kinds.read(kind, file, index, np.arange(len(rows)))
    return result


def seen(images: Images, p: Params, name: str) -> Cache:
    """What a tool sees in the photos: from an earlier search where nothing has changed, else it looks now."""
    tool = choose(TOOLS, name, "tool")
    header, work = tool.build(images, **choose(p.tools, name, "tool in params.yaml"))
    header["gives"] = list(tool.gives)
    file = images.file.parent / f"{name}-{fingerprint(header)}.npz"
    if not file.is_file():
        pieces.write(file, header, work, len(images.table), tool.processes, f"{name} of the photos")
    return Cache(file, f"tool/{name}", images.file)
