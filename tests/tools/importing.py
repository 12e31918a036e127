"""Data sets for the tests of tools that read files."""

from pathlib import Path

from partreid.storage import image_table
from partreid.tools.base import Images


def made(paths, height=128, width=64, root="nowhere", sha1=None):
    """What a tool is given to look at: images of one size, whose files need not exist. sha1: path -> of its file."""
    row = {"split": "train", "pid": 1, "width": width, "height": height}
    table = image_table.build([{**row, "path": path, "sha1": (sha1 or {}).get(path, path)} for path in paths], {})
    return Images("market", table, "hash", Path(root), Path("market.parquet"))
