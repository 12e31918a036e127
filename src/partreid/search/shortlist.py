"""Short lists from a large gallery by faiss, to be re-scored by the exact distance (nearest.rescored).

faiss compares one vector per image by inner product or Euclidean distance. What stands for an image:
  cosine     the flattened parts, of length 1: the same order;
  euclidean  the flattened parts: the same order;
  parts      the sum over the query's visible parts of the squared distance, written as an inner product:
             |q|² - |q - g|² = 2 q·g - |g|². A query gives 2 q and 1 for a visible part and zeros for another, an image
             gives g and -|g|². For a part that an image hides stands the mean of the images that show it, as if at half
             of their mean squared distance from it. The order is not that of the visibility-weighted distance, hence
             the re-scoring.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from partreid.errors import UserError, choose, reason
from partreid.search.unpacked import Unpacked
from partreid.storage.files import whole

BLOCK = 16_384  # images that are made flat at a time
PER_LIST = 64  # images of an inverted list, about; faiss wants at least 39 per list to learn them
LOOKED_AT = 1 / 8  # share of the lists that a query looks through
SAMPLE = 100_000  # images that the lists are learned from

Flat = Callable[[np.ndarray, np.ndarray], np.ndarray]  # features (n, P, D), visibility (n, P) -> float32 (n, width)


@dataclass(frozen=True)
class Space:
    """How queries and the gallery's images become the vectors that faiss compares. metric: of faiss."""

    query: Flat
    gallery: Flat
    metric: int


def _joined(features: np.ndarray, _visibility: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(features.reshape(len(features), -1), np.float32)


def _unit(features: np.ndarray, visibility: np.ndarray) -> np.ndarray:
    flat = _joined(features, visibility)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    return flat / np.where(length > 0, length, 1)


def _parts(gallery: Unpacked) -> Space:
    mean, spread = _visible(gallery)
    hidden = -(mean**2).sum(1) - spread / 2  # (P,)
    scale = 10 * float(((mean**2).sum(1) + spread).max()) or 1.0  # makes -|g|² small, lest the lists be formed by it

    def query(features: np.ndarray, visibility: np.ndarray) -> np.ndarray:
        seen = visibility[..., None]  # (n, P, 1)
        return _joined(np.concatenate([2 * features * seen, scale * seen], 2), visibility)

    def image(features: np.ndarray, visibility: np.ndarray) -> np.ndarray:
        last = np.where(visibility > 0, -(features**2).sum(2), hidden)  # (n, P)
        filled = np.where(visibility[..., None] > 0, features, mean)
        return _joined(np.concatenate([filled, last[..., None] / scale], 2), visibility)

    return Space(query, image, faiss.METRIC_INNER_PRODUCT)


def _visible(gallery: Unpacked) -> tuple[np.ndarray, np.ndarray]:
    """Mean of each part over the images that show it, float32 (P, D), and their mean squared distance from it, (P,)."""
    total, squares = np.zeros(gallery.features.shape[1:]), np.zeros(gallery.features.shape[1])
    count = np.zeros(len(squares))
    for here in _blocks(len(gallery)):
        features, visibility = gallery.features[here], gallery.visibility[here]
        total += np.einsum("npd,np->pd", features, visibility)
        squares += np.einsum("npd,npd,np->p", features, features, visibility)
        count += visibility.sum(0)
    shown = np.maximum(count, 1)
    mean = total / shown[:, None]
    spread = np.maximum(squares / shown - (mean**2).sum(1), 0)
    return mean.astype(np.float32), spread.astype(np.float32)


SPACES: dict[str, Callable[[Unpacked], Space]] = {
    "cosine": lambda _gallery: Space(_unit, _unit, faiss.METRIC_INNER_PRODUCT),
    "euclidean": lambda _gallery: Space(_joined, _joined, faiss.METRIC_L2),
    "parts": _parts,
}


def exact(query: tuple[np.ndarray, np.ndarray], gallery: Unpacked, distance: str, count: int) -> np.ndarray:
    """Rows of the `count` nearest, int64 (Q, count), -1 past the end: every image is compared, block by block."""
    space = choose(SPACES, distance, "distance")(gallery)
    asking = space.query(*query)
    sign = 1 if space.metric == faiss.METRIC_L2 else -1
    rows = np.full((len(asking), count), -1, np.int64)
    values = np.full((len(asking), count), np.inf, np.float32)
    for here in _blocks(len(gallery)):
        flat = space.gallery(gallery.features[here], gallery.visibility[here])
        near, found = faiss.knn(asking, flat, min(count, len(flat)), metric=space.metric)
        values = np.concatenate([values, sign * near], 1)
        rows = np.concatenate([rows, found + here.start], 1)
        order = np.argsort(values, axis=1, kind="stable")[:, :count]
        values, rows = np.take_along_axis(values, order, 1), np.take_along_axis(rows, order, 1)
    return rows


class Lists:
    """An inverted file whose vectors take a byte per number; it is made the first time and kept in `file`.

    The lists are clusters of the gallery; the LOOKED_AT best of them, by their centres, are looked through. Threads may
    share it.
    """

    def __init__(self, gallery: Unpacked, distance: str, file: Path):
        self._images = len(gallery)
        self._space = choose(SPACES, distance, "distance")(gallery)
        if not file.is_file():
            made = _inverted(gallery, self._space)
            try:
                with whole(file) as temporary:
                    faiss.write_index(made, str(temporary))
            except RuntimeError as error:
                raise UserError(f"{file} cannot be written ({_told(error)}); is the disk full?") from error
        try:
            index: Any = faiss.read_index(str(file))  # an inverted file, which faiss's types do not tell
        except RuntimeError as error:
            raise UserError(f"{file} is damaged ({_told(error)}); delete it and run it again") from error
        self._index: Any = index
        self._centres = index.quantizer.reconstruct_n(0, index.nlist)

    def candidates(
        self, query: tuple[np.ndarray, np.ndarray], count: int, allowed: np.ndarray | None = None
    ) -> np.ndarray:
        """Rows of nearly the nearest, int64 (Q, count), -1 past the end. allowed: bool (N,), rows that may be found."""
        asking, index = self._space.query(*query), self._index
        looked_at = max(1, round(index.nlist * LOOKED_AT))
        # by the metric itself: the lists were formed by Euclidean distance, which a query that hides parts cannot use
        near, lists = faiss.knn(asking, self._centres, looked_at, metric=self._space.metric)
        parameters: dict[str, Any] = {"nprobe": looked_at}
        if allowed is not None:
            selector: Any = faiss.IDSelectorBitmap  # faiss's types tell of its C++ arguments
            parameters["sel"] = selector(np.packbits(allowed, bitorder="little"))
        count = min(count, self._images)
        rows, values = np.empty((len(asking), count), np.int64), np.empty((len(asking), count), np.float32)
        places = (faiss.swig_ptr(each) for each in (lists, near, values, rows))
        # the C++ function itself, since its Python wrapper takes no parameters
        index.search_preassigned_c(
            len(asking), faiss.swig_ptr(asking), count, *places, False, faiss.SearchParametersIVF(**parameters)
        )
        return rows


def approximate(
    query: tuple[np.ndarray, np.ndarray], gallery: Unpacked, distance: str, count: int, file: Path
) -> np.ndarray:
    """Rows of nearly the nearest, int64 (Q, count), -1 past the end: see Lists."""
    return Lists(gallery, distance, file).candidates(query, count)


def _inverted(gallery: Unpacked, space: Space) -> faiss.Index:
    width = space.gallery(gallery.features[:1], gallery.visibility[:1]).shape[1]
    lists = max(1, min(len(gallery) // PER_LIST, round(4 * len(gallery) ** 0.5)))
    coarse = faiss.IndexFlatL2(width)
    index = faiss.IndexIVFScalarQuantizer(coarse, width, lists, faiss.ScalarQuantizer.QT_8bit, space.metric)
    sample = np.random.default_rng(0).permutation(len(gallery))[: min(SAMPLE, PER_LIST * lists)]
    sample.sort()
    index.train(space.gallery(gallery.features[sample], gallery.visibility[sample]))
    for here in _blocks(len(gallery)):
        index.add(space.gallery(gallery.features[here], gallery.visibility[here]))
    return index


def _told(error: RuntimeError) -> str:
    """What faiss says, without where in its own code it does."""
    return reason(error).rpartition("Error: ")[2][:200]


def _blocks(count: int) -> Iterator[slice]:
    return (slice(start, min(start + BLOCK, count)) for start in range(0, count, BLOCK))
