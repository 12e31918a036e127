"""What the network looks at: attention maps and part visibility of a few test images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Looks:
    """A method's view of B images. names: of the P parts.

    image_id: int (B,). maps: float (B, P, h, w) in 0..1; P = 0 for a method without maps. visible: bool (B, P).
    labels: label kind -> per image the picture uint8 (H, W, 3) of the part label, None where there is none.
    """

    names: tuple[str, ...]
    image_id: np.ndarray
    maps: np.ndarray
    visible: np.ndarray
    labels: Mapping[str, Sequence[np.ndarray | None]] = field(default_factory=dict)

    def take(self, rows: Sequence[int]) -> "Looks":
        """The given images."""
        labels = {kind: [pictures[row] for row in rows] for kind, pictures in self.labels.items()}
        return Looks(self.names, self.image_id[rows], self.maps[rows], self.visible[rows], labels)


def candidates(queries: Mapping[str, np.ndarray], pids: np.ndarray, seed: int, count: int = 32) -> np.ndarray:
    """Queries to look at, at most `count` image ids in random order, as evenly from the protocols as they allow.

    queries: protocol -> image ids. pids: int (N,), the person of each image id; a person appears once where that is
    possible. The same seed gives the same images.
    """
    generator = np.random.default_rng(seed)
    piles = [list(generator.permutation(np.unique(ids))) for ids in queries.values()]
    chosen: list[int] = []
    persons: set[int] = set()
    while any(piles) and len(chosen) < count:
        for pile in piles:
            while pile:
                image = int(pile.pop())
                if int(pids[image]) not in persons:
                    persons.add(int(pids[image]))
                    chosen.append(image)
                    break
    return np.array(chosen[:count], np.int64)


def rows(visible: np.ndarray, first: int = 4, hidden: int = 2) -> list[int]:
    """Which candidates to show: the `first` ones, then the `hidden` others that have the most invisible parts.

    visible: bool (B, P). Without any invisible part, the next ones follow.
    """
    start = list(range(min(first, len(visible))))
    rest = np.arange(len(start), len(visible))
    invisible = (~visible[rest]).sum(1)
    return start + [int(row) for row in rest[np.argsort(-invisible, kind="stable")][:hidden]]
