"""Searching a gallery: once for many photos, or again and again for one photo at a time."""

import numpy as np
import torch

from partreid.evaluation import ranking
from partreid.evaluation.distances import DISTANCES, Vectors, tensors
from partreid.evaluation.results import Streamed
from partreid.search import shortlist
from partreid.search.arguments import SHORTLIST
from partreid.search.gallery import Gallery
from partreid.search.nearest import Hits, nearest, rescored
from partreid.search.unpacked import folder, unpacked
from partreid.storage.embeddings import Embeddings

WHOLE = 50_000  # images up to which `auto` compares every one
BLOCK = 4096  # images compared at a time
FEW = 4  # short lists' worth of allowed images that are rather compared one and all


def kind_of(index: str, images: int) -> str:
    """What `auto` means for a gallery of this size; another index is what it is."""
    if index != "auto":
        return index
    return "whole" if images <= WHOLE else "approximate"


def search(query: Embeddings, gallery: Gallery, name: str, kind: str, top: int, count: int) -> Hits:
    """The first `top` of the gallery for every query by the distance of this name. kind: see stages/search.py."""
    distance, asking = DISTANCES[name], tensors(query)
    if kind == "whole":
        return nearest(asking, Streamed(gallery.stored, gallery.image_ids), distance, top)
    place = folder(gallery.file, gallery.image_ids)
    rows = unpacked(gallery.stored, gallery.image_ids, place)
    pair = query.features, query.visibility
    if kind == "exact":
        candidates = shortlist.exact(pair, rows, name, min(count, len(rows)))
    else:
        candidates = shortlist.approximate(pair, rows, name, count, place / "lists.faiss")
    return rescored(asking, rows, candidates, distance, top)


class Ready:
    """A gallery of N images made ready for many questions, each of one photo. Threads may share it.

    Its features lie flat on disk (search.unpacked) and are mapped, so the system keeps in memory what is used. kind:
    "whole", every image is compared, or "approximate", a short list of `count` is re-scored. UserError where an
    embedding is not finite.
    """

    def __init__(self, gallery: Gallery, name: str, kind: str, count: int = SHORTLIST):
        self.kind, self.count = kind, count
        self._distance = DISTANCES[name]
        place = folder(gallery.file, gallery.image_ids)
        self.rows = unpacked(gallery.stored, gallery.image_ids, place)
        self._place = ranking.shuffled(len(gallery))
        if kind == "whole":
            self._norms = self._measured()
        else:
            self._lists = shortlist.Lists(self.rows, name, place / "lists.faiss")

    def ask(self, query: Vectors, top: int, allowed: np.ndarray | None = None) -> Hits:
        """The first `top` for one query. allowed: bool (N,), the images that may be found; None: all."""
        if self.kind == "whole":
            return self._first(self._all(query), top, allowed)
        pair = query.features.numpy(), query.visibility.numpy()
        if allowed is not None and allowed.sum() <= FEW * self.count:
            candidates = np.flatnonzero(allowed)[None]
        else:
            candidates = self._lists.candidates(pair, self.count, allowed)
        return rescored(query, self.rows, candidates, self._distance, top)

    def _all(self, query: Vectors) -> np.ndarray:
        """Distances of every image, float32 (N,)."""
        found = np.empty(len(self.rows), np.float32)
        for start in range(0, len(found), BLOCK):
            here = slice(start, start + BLOCK)
            features, visibility = (torch.from_numpy(each[here]) for each in (self.rows.features, self.rows.visibility))
            found[here] = self._distance(query, Vectors(features, visibility, self._norms[here]))[0].numpy()
        return found

    def _first(self, values: np.ndarray, top: int, allowed: np.ndarray | None) -> Hits:
        rows = np.arange(len(values)) if allowed is None else np.flatnonzero(allowed)
        rows = rows[np.lexsort((self._place[rows], values[rows]))[:top]]  # the tied in the evaluator's fixed order
        return Hits(rows[None], values[rows][None])

    def _measured(self) -> torch.Tensor:
        norms = torch.empty(self.rows.visibility.shape)
        for start in range(0, len(self.rows), BLOCK):
            features = torch.from_numpy(self.rows.features[start : start + BLOCK])
            norms[start : start + BLOCK] = torch.linalg.vecdot(features, features)
        return norms


def by_part(query: Vectors, gallery: Vectors, name: str) -> np.ndarray:
    """The method's distance of one query from n images by each part alone, float32 (n, P); NaN unless both show it."""
    found = np.full((len(gallery), query.features.shape[1]), np.nan, np.float32)
    for part in range(found.shape[1]):
        here = slice(part, part + 1)
        one, other = (
            Vectors(each.features[:, here], each.visibility[:, here], each.norms[:, here]) for each in (query, gallery)
        )
        both = (other.visibility[:, 0] > 0) & (one.visibility[0, 0] > 0)
        found[both.numpy(), part] = DISTANCES[name](one, other)[0, both].numpy()
    return found
