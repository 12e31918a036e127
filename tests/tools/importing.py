"""Data sets for the tests of tools that read files."""

from pathlib import Path

from partreid.storage import image_table
from partreid.tools.base import Images


def made(paths, height=128, width=64, root="nowhere"):
    """What a tool is given to look at: images of one size, whose files need not exist."""
    row = {"split": "train", "pid": 1, "width": width, "height": height, "sha1": "0"}
    table = image_table.build([{**row, "path": path} for path in paths], {})
    return Images("market", table, "hash", Path(root), Path("market.parquet"))
