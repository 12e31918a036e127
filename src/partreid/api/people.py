"""Embedded photos."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from partreid.errors import UserError


@dataclass(frozen=True)
class People:
    """Embeddings of N photos, one person each.

    features: float32 (N, P, D), a vector for each part. visibility: float32 (N, P), 1 where the part is seen, else 0.
    parts: the P parts' names. distance: how they are compared, a name of partreid.evaluation.distances. weights: hex
    SHA-256 of the weights that embedded them; only people of one network can be compared. paths: the photos' files,
    None for what was no file.
    """

    features: np.ndarray
    visibility: np.ndarray
    parts: tuple[str, ...]
    distance: str
    weights: str
    paths: tuple[str | None, ...]

    def __len__(self) -> int:
        return len(self.features)

    def __getitem__(self, rows: int | slice | Sequence[int] | np.ndarray) -> "People":
        """Some of them: a row, a slice, a list of rows or a mask."""
        chosen = np.atleast_1d(np.arange(len(self))[rows])
        paths = tuple(self.paths[row] for row in chosen)
        return People(self.features[chosen], self.visibility[chosen], self.parts, self.distance, self.weights, paths)

    @property
    def vectors(self) -> np.ndarray:
        """One vector per photo, its parts side by side: float32 (N, P * D).

        Enough for a vector index where `distance` is cosine or euclidean; "parts" needs the visibility too.
        """
        return self.features.reshape(len(self), -1)


def comparable(people: People, others: People) -> None:
    """UserError when two groups were embedded by different networks or show different parts."""
    if (people.weights, people.parts, people.distance) != (others.weights, others.parts, others.distance):
        raise UserError(
            f"these people were embedded differently and cannot be compared: by weights {people.weights[:12]}... with "
            f"the parts {', '.join(people.parts)}, and by {others.weights[:12]}... with {', '.join(others.parts)}; "
            "embed both with one model"
        )
