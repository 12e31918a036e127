"""Who is this? A photo, a box in it, a gallery: answers as JSON has them."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from partreid.api.model import Model
from partreid.api.people import People
from partreid.errors import UserError
from partreid.evaluation.distances import Vectors, tensors
from partreid.search.finder import Ready, by_part
from partreid.search.gallery import Gallery
from partreid.search.threshold import Threshold
from partreid.serving.photos import BOXES, Box, Photo, Photos, boxed, decoded
from partreid.words import natural

TOP = 200  # images of an answer, at most
FOLDERS = 500  # folders that are offered to filter by
UPRIGHT = 1.6  # height to width from which on a photo may be a cut-out of one person
FILLS = 0.4  # share of such a photo that this person's box takes

Find = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]  # an image -> boxes (N, 4), scores (N,)


@dataclass(frozen=True)
class Asking:
    """All that is needed to answer. find: finds persons in a photo, None where that cannot be done.

    One photo at a time is decoded, looked through and embedded, so memory is bounded; searching is not held up.
    """

    model: Model
    gallery: Gallery
    ready: Ready
    limit: Threshold | None
    find: Find | None
    photos: Photos = field(default_factory=Photos)
    _one: threading.Lock = field(default_factory=threading.Lock)

    def add(self, data: bytes) -> dict[str, Any]:
        """Take a photo: its name and size, the persons' boxes, and which of them is meant where that is plain."""
        with self._one:
            image = decoded(data)
            boxes = np.zeros((0, 4)) if self.find is None else self.find(image)[0]
        height, width = image.shape[:2]
        boxes = boxes[np.argsort(boxes[:, 0] + boxes[:, 2])]  # from left to right, as a person would go through them
        return {
            "photo": self.photos.add(image),
            "width": width,
            "height": height,
            "boxes": [[round(float(each), 1) for each in box] for box in boxes],
            "meant": meant(width, height, boxes),
        }

    def rank(self, asked: Any) -> dict[str, Any]:
        """The nearest images. asked: {photo, box, top, camera, words} as JSON has it."""
        if not isinstance(asked, dict):
            raise UserError("expected {photo, box, top, camera, words}")
        top = asked.get("top", 20)
        if type(top) is not int or not 1 <= top <= TOP:
            raise UserError(f"top is a number from 1 to {TOP}, found {top!r}")
        photo = self.photos.get(str(asked.get("photo")))
        box = boxed(photo.image, asked.get("box"))
        start = time.perf_counter()
        people, embedded = self._embedded(photo, box), time.perf_counter()
        allowed = self.allowed(str(asked.get("camera") or ""), str(asked.get("words") or ""))
        query = tensors(people)
        hits = self.ready.ask(query, top, allowed)
        row, distance = (each[0][hits.row[0] >= 0] for each in (hits.row, hits.distance))
        parts = self._parts(query, row)
        return {
            "box": box,
            "found": [self._found(*each) for each in zip(row.tolist(), distance.tolist(), parts, strict=True)],
            "among": len(self.gallery) if allowed is None else int(allowed.sum()),
            "parts": [
                {"name": name, "seen": bool(seen)}
                for name, seen in zip(people.parts, people.visibility[0], strict=True)
            ],
            "comparable": bool(np.isfinite(distance).any()) if len(row) else None,
            "seconds": {"embed": embedded - start, "search": time.perf_counter() - embedded},
        }

    def _embedded(self, photo: Photo, box: Box) -> People:
        people = photo.embedded.get(box)
        if people is None:
            left, top, right, bottom = box
            with self._one:
                people = self.model.embed(np.ascontiguousarray(photo.image[top:bottom, left:right]))
            if len(photo.embedded) >= BOXES:
                photo.embedded.clear()
            photo.embedded[box] = people
        return people

    def allowed(self, camera: str, words: str) -> np.ndarray | None:
        """bool (N,): images by this camera whose path holds the words, in any case; None where nothing is asked."""
        words = " ".join(words.lower().split())
        if not camera and not words:
            return None
        found = np.ones(len(self.gallery), bool)
        if camera:
            found &= np.array([each == camera for each in self.gallery.cameras], bool)
        if words:
            found &= np.array([words in place.lower() for place in self.gallery.places], bool)
        return found

    def cameras(self) -> list[str]:
        """The gallery's cameras, in order."""
        return sorted(set(self.gallery.cameras) - {""}, key=natural)

    def folders(self) -> list[str]:
        """The first FOLDERS of the folders that its images lie in, in order."""
        return sorted({place.rpartition("/")[0] for place in self.gallery.places} - {""}, key=natural)[:FOLDERS]

    def _found(self, row: int, distance: float, parts: list[float | None]) -> dict[str, Any]:
        near = None if np.isinf(distance) else distance
        return {
            "row": row,
            "name": self.gallery.names[row],
            "camera": self.gallery.cameras[row],
            "path": self.gallery.places[row],
            "distance": near,
            "same": None if self.limit is None else distance <= self.limit.distance,
            "parts": parts,
        }

    def _parts(self, query: Vectors, rows: np.ndarray) -> list[list[float | None]]:
        """The distance by each part, None where one of both hides it; empty lists where there is but one part."""
        if query.features.shape[1] == 1 or not len(rows):
            return [[] for _ in rows]
        values = by_part(query, self.ready.rows.take(rows), self.model.distance)
        return [[None if np.isnan(each) else float(each) for each in row] for row in values]


def meant(width: int, height: int, boxes: np.ndarray) -> int | str | None:
    """Which person of a photo is surely meant: the number of the box, "all" of a cut-out, or None: the user chooses."""
    share = max(((box[2] - box[0]) * (box[3] - box[1]) / (width * height) for box in boxes), default=1.0)
    if height >= UPRIGHT * width and share >= FILLS:
        return "all"
    return 0 if len(boxes) == 1 else None
