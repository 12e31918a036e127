"""What a label is."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from partreid.storage.pieces import Work


@dataclass(frozen=True)
class Label:
    """An entry of partreid.labels.LABELS."""

    build: Callable[..., tuple[dict[str, Any], Work]]
    suffix: str  # of the cache file: .npz for maps, .parquet for a few numbers per image
    needs: tuple[tuple[str, ...], ...]  # which members of its tool's output it is made from: alternatives, best first
    beside: tuple[str, ...] = ()  # members it takes besides, from the tool (the same or another) that an option names
    # its header -> the members that are not 0 where the tool found nobody
    nobody: Callable[[Mapping[str, Any]], Mapping[str, float]] = lambda _header: {}

    def file(self, name: str, dataset: str) -> Path:
        """Where the cache of the label called `name` lies."""
        return Path(f"data/labels/{name}/{dataset}{self.suffix}")

    def fed_by(self, gives: Collection[str]) -> bool:
        """Whether a tool that gives these members can feed it, if another one gives what it takes besides."""
        return any(set(members) <= set(gives) for members in self.needs)

    def fed_alone_by(self, gives: Collection[str]) -> bool:
        """Whether a tool that gives these members can feed it without another."""
        return self.fed_by(gives) and set(self.beside) <= set(gives)
