"""The labels that a method needs of the photos of a search, made as for a data set: by the tool that params.yaml names.

What the tools saw is kept in tmp/search/labels/<photos>/ and used again; unfinished work is taken up.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from partreid.errors import UserError, choose
from partreid.inputs import kinds
from partreid.params import Params
from partreid.photo_labels import OF_A_SET, Way
from partreid.photo_labels import made as made_by
from partreid.storage import image_table, pieces
from partreid.storage.files import fingerprint, scratch_root, sha256
from partreid.tools.base import Images

NAME = "photos"  # what stands for the data set's name

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
    blocks = {kind: choose(p.labels, kind, "label in params.yaml") for kind in wanted}
    ways = {kind: Way(block.tool, block.options, p.tools) for kind, block in blocks.items()}
    return {kind: made_by(kind, way, images, pieces.write) for kind, way in ways.items()}
