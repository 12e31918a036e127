"""Embedded photos."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from partreid.datasets.walk import printable, storable
from partreid.errors import UserError
from partreid.storage import vector_table
from partreid.storage.chunks import CHUNK


@dataclass(frozen=True, eq=False, repr=False)
class People:
    """Embeddings of N photos, one person each.

    features: float32 (N, P, D), a vector for each part. visibility: float32 (N, P), 1 where the part is seen, else 0.
    parts: the P parts' names. distance: how they are compared, a name of partreid.evaluation.distances. weights: hex
    SHA-256 of the weights that embedded them; only people of one network can be compared. paths: the photos' files,
    None for what was no file. at_test: what was chosen to be compared.
    """

    features: np.ndarray
    visibility: np.ndarray
    parts: tuple[str, ...]
    distance: str
    weights: str
    paths: tuple[str | None, ...]
    at_test: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """UserError where the arrays are of other shapes or types: people may be made by hand."""
        for name, shape in (("features", "(N, P, D)"), ("visibility", "(N, P)")):
            found = getattr(self, name)
            if not isinstance(found, np.ndarray) or found.dtype != np.float32 or found.ndim != len(shape.split()):
                kind = f"{found.dtype} {found.shape}" if isinstance(found, np.ndarray) else type(found).__name__
                raise UserError(f"{name} of people are a float32 array {shape}; found {kind}")
        N, P = self.features.shape[:2]
        if not (self.visibility.shape == (N, P) and len(self.parts) == P and len(self.paths) == N):
            raise UserError(
                f"features of people are {self.features.shape}, (N, P, D), visibility {self.visibility.shape}, with "
                f"{len(self.parts)} parts and {len(self.paths)} paths; expected (N, P), P and N"
            )

    def __len__(self) -> int:
        return len(self.features)

    def __repr__(self) -> str:
        about = f"{len(self)} photos, {len(self.parts)} parts, {self.distance} distance"
        return f"<partreid.People {about}, by weights {self.weights[:12]}...>"

    def __getitem__(self, rows: int | slice | Sequence[int] | np.ndarray) -> "People":
        """Some of them: a row, a slice, a list of rows or a mask."""
        chosen = np.atleast_1d(np.arange(len(self))[rows])
        paths = tuple(self.paths[row] for row in chosen)
        return replace(self, features=self.features[chosen], visibility=self.visibility[chosen], paths=paths)

    def __iter__(self) -> Iterator["People"]:
        """One by one."""
        return (self[row] for row in range(len(self)))

    @classmethod
    def joined(cls, groups: Iterable["People"]) -> "People":
        """Several groups as one, in order: the frames of a video. UserError when they were embedded differently."""
        every = list(groups)
        if not every:
            raise UserError("there are no people to join")
        for each in every:
            comparable(every[0], each)
        features, visibility = ([getattr(each, name) for each in every] for name in ("features", "visibility"))
        paths = tuple(path for each in every for path in each.paths)
        return replace(every[0], features=np.concatenate(features), visibility=np.concatenate(visibility), paths=paths)

    def updated(self, seen: "People", share: float = 0.1) -> "People":
        """Running means after these people, tracks say, were seen once more, row by row: (1 - share) old + share new.

        Part by part: one that is visible in both has the mean's direction and the lengths' mean for its length, so that
        vectors of unit length stay such; one that only one side shows is taken from there. seen: as many people, by the
        same model. paths: as they were.
        """
        comparable(self, seen)
        if len(self) != len(seen):
            raise UserError(f"found {len(self)} people to update, and {len(seen)} seen; expected one for each")
        if not 0 <= share <= 1:
            raise UserError(f"share is {share}, expected 0 to 1: how much of the mean what was seen last makes up")
        known, shown = self.visibility > 0, seen.visibility > 0
        weight = np.where(shown, np.where(known, share, 1), 0).astype(np.float32)[..., None]  # (N, P, 1)
        mean = (1 - weight) * self.features + weight * seen.features
        lengths = [np.linalg.norm(each, axis=2, keepdims=True) for each in (self.features, seen.features, mean)]
        wanted, found = (1 - weight) * lengths[0] + weight * lengths[1], lengths[2]
        features = mean * np.divide(wanted, found, out=np.ones_like(found), where=found > 0)
        return replace(self, features=features, visibility=np.maximum(self.visibility, seen.visibility))

    @property
    def vectors(self) -> np.ndarray:
        """One vector per photo, its parts side by side: float32 (N, P * D).

        Enough for a vector index where `distance` is cosine or euclidean; "parts" needs the visibility too.
        """
        return self.features.reshape(len(self), -1)

    def save(self, path: str | Path) -> Path:
        """Write them as Parquet (partreid.storage.vector_table), which stages/search.py takes too; its path."""
        file, nothing = Path(path), pa.nulls(len(self))
        if file.suffix != ".parquet":
            raise UserError(f"people are saved as Parquet; give {file} a name that ends with .parquet")
        if not len(self):
            raise UserError(f"there are no people to save in {file}")
        names = [each if each is not None else "" for each in self.paths]
        if odd := [name for name in names if not storable(name)]:
            raise UserError(f"the path {printable(odd[0])} is not UTF-8 and cannot be written; rename the file")
        about = pa.table({"path": names, "split": nothing, "pid": nothing, "camid": nothing})
        header = {"parts": self.parts, "distance": self.distance, "weights": self.weights, "at_test": self.at_test}
        arrays = {"image_id": np.arange(len(self)), "features": self.features, "visibility": self.visibility}
        starts = range(0, len(self), CHUNK)
        blocks = ({name: of[n : n + CHUNK] for name, of in arrays.items()} for n in starts)
        vector_table.write(file, header, about, blocks)
        return file

    @classmethod
    def load(cls, path: str | Path) -> "People":
        """Read what `save`, or stages/vectors.py, wrote. UserError when it cannot be read."""
        reader = vector_table.Reader(Path(path))
        paths = tuple(name or None for name in reader.about()["path"].to_pylist())
        of, features, visibility = reader.header, *(reader.all(name).copy() for name in vector_table.VECTORS)
        return cls(
            features, visibility, tuple(of["parts"]), of["distance"], of["weights"], paths, of.get("at_test", {})
        )


def comparable(people: People, others: People) -> None:
    """UserError when two groups are none, were embedded by different networks, or show different parts."""
    for each in (people, others):
        if not isinstance(each, People):
            raise UserError(f"expected people, as model.embed and People.load give them, found {type(each).__name__}")
    mine, theirs = ((each.weights, each.parts, each.distance, dict(each.at_test)) for each in (people, others))
    if mine != theirs:
        raise UserError(
            f"these people were embedded differently and cannot be compared: by weights {people.weights[:12]}... with "
            f"the parts {', '.join(people.parts)}, and by {others.weights[:12]}... with {', '.join(others.parts)}; "
            "embed both with one model"
        )
