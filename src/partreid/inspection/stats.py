"""What a label cache is and holds, for people."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from partreid.errors import UserError
from partreid.labels import coverage, native
from partreid.quality.images import Images
from partreid.storage.cache import FAILED, STATUS, Cache
from partreid.storage.files import sha256
from partreid.tools import matching

Facts = list[tuple[str, str]]  # name and value

MATCHING = {"images", "matched", "unmatched", "unused", "ambiguous"}  # keys of an import report (tools.matching)
_COUNTS = {"images", *STATUS, "schema"}  # header keys that the coverage table says already, or that never differ


@dataclass(frozen=True)
class Table:
    """A table; the first column is names, the others are numbers."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]

    def text(self) -> str:
        """The table as aligned lines under its title."""
        lines = [self.head, *self.rows]
        widths = [max(len(line[column]) for line in lines) for column in range(len(self.head))]
        shown = [
            "  ".join([f"{line[0]:<{widths[0]}}", *(f"{v:>{w}}" for v, w in zip(line[1:], widths[1:], strict=True))])
            for line in lines
        ]
        return "\n".join([self.title, *(line.rstrip() for line in shown)])


@dataclass(frozen=True)
class Bars:
    """A histogram: of each bar its name and how many."""

    title: str
    bars: Sequence[tuple[str, int]]


def coverage_table(split: np.ndarray, status: np.ndarray) -> Table:
    """Images by split and status."""
    rows = [
        [name, f"{images:,}", *(f"{count:,}" for count in counts), f"{counts[0] / max(images, 1):.1%}"]
        for name, images, counts in coverage.by_split(split, status)
    ]
    return Table("Coverage", ["split", "images", *STATUS, "share ok"], rows)


def score_bars(status: np.ndarray, score: np.ndarray) -> Bars:
    """Histogram of the scores of the images that could be read."""
    return bars("Person score", score[status != FAILED])


def bars(title: str, values: np.ndarray) -> Bars:
    """Histogram of values in 0..1, in ten bars."""
    return Bars(title, [(f"{low:.1f} to {high:.1f}", count) for low, high, count in coverage.histogram(values)])


def facts(cache: Cache, now: float | None = None) -> Facts:
    """File, tool and parameters: everything in the header but its counts, and what the file system knows.

    now: seconds since 1970, for the file's age; without it only the time of writing. Values of the header that are
    lists of numbers (a label's centres) are left to its picture.
    """
    found = cache.path.stat()
    written = "" if now is None else f", {age(now - found.st_mtime)}"
    per_image = found.st_size / max(len(cache.status), 1)
    rows = [
        ("file", str(cache.path)),
        ("written", f"{datetime.fromtimestamp(found.st_mtime):%Y-%m-%d %H:%M:%S}" + written),
        ("size", f"{size(found.st_size)}, {size(per_image)} per image"),
        ("sha256", sha256(cache.path)),
    ]
    first = ("kind", "version", "tool", "tool_version", "weights", "parameters", "tool_parameters", "table")
    for key in [*first, *sorted(set(cache.header) - set(first) - _COUNTS)]:
        if key in cache.header:
            rows += spread(key, cache.header[key])
    return rows


def tool_facts(header: Mapping[str, Any], images: Images, now: float | None = None) -> Facts:
    """The same of the tool's output that a label with this header was made from, or why there is nothing to say."""
    try:
        return facts(native.output(header["tool"], images.name, images.file), now)
    except UserError as error:
        return [("file", str(error))]


def spread(name: str, value: Any) -> Facts:
    """One row per value; nested mappings get dotted names."""
    if isinstance(value, Mapping) and set(value) >= MATCHING:
        rest = {key: one for key, one in value.items() if key not in MATCHING}
        return [(f"{name}.matching", matching.text(dict(value))), *spread(name, rest)]
    if isinstance(value, Mapping):
        inner = [row for key, one in value.items() for row in spread(f"{name}.{key}", one)]
        return inner or [(name, "none")]
    if value is None:
        return [(name, "none")]
    if isinstance(value, list):
        if any(isinstance(one, list) and one and isinstance(one[0], (list, float)) for one in value):
            return []
        if value and all(isinstance(one, (list, dict)) for one in value):
            return [(f"{name} {number}", _inline(one)) for number, one in enumerate(value, 1)]
        return [(name, ", ".join(map(str, value)) or "none")]
    return [(name, str(value))]


def _inline(value: Any) -> str:
    if isinstance(value, list):
        return ": ".join(map(str, value))
    return json.dumps(value, ensure_ascii=False)


def size(count: float) -> str:
    """Bytes in decimal units."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} GB"


def age(seconds: float) -> str:
    """How long ago, in one unit."""
    for name, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            count = int(seconds // length)
            return f"{count} {name}{'s' if count > 1 else ''} ago"
    return "just now"


def text(rows: Facts) -> str:
    """Facts as aligned lines."""
    width = max((len(name) for name, _ in rows), default=0)
    indent = "\n" + " " * (width + 2)
    return "".join(f"{name:<{width}}  {indent.join(value.splitlines())}\n" for name, value in rows)
