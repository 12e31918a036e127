"""Tools look at each image once and write what they see to data/tools/<tool>/<dataset>.npz; label stages read that.

A tool is one file with `build(table, table_sha256, root) -> (header, work)`: the image table, the sha256 of its file
and the folder that its paths are relative to; the header of labels.cache and the work of labels.pieces. Output members:

    status     uint8 (n,)             0 ok, 1 missing (nobody found), 2 failed (image unreadable)
    score      float32 (n,)           probability that a person is there
    keypoints  float32 (n, 17, 3)     COCO-17 (partreid.skeleton): x, y in pixels of the original image, score 0..1
    person     uint8 (n, 128, 64)     255 times the person's probability, over the whole image

and whatever else the tool knows. Coordinates: x right, y down, origin at the top-left corner of the top-left pixel.
Rows that are not ok are all zeros, except `score`.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa

from partreid.labels.pieces import Work
from partreid.tools import blazepose, truth

TOOLS: dict[str, Callable[[pa.Table, str, Path], tuple[dict[str, Any], Work]]] = {
    "blazepose": blazepose.build,
    "truth": truth.build,
}
