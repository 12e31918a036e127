"""What is to be done by other machines: partreid.storage.elsewhere."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Piece = tuple[Path, int, int]  # its file, first image, images


@dataclass(frozen=True)
class Task:
    """Pieces to be made in `folder`, which every machine sees.

    make: makes pieces; pickles, takes (work, todo, processes). todo: what is still open. tell: to be called with the
    number of images that are finished.
    """

    folder: Path
    work: Any
    todo: list[Piece]
    make: Callable[[Any, list[Piece], int], None]
    tell: Callable[[int], object]
