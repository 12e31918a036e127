"""What the label viewer has open: image tables, label caches, tools' outputs; opened again when a file has changed.

The server answers in threads, and an opened file is no two threads' at once, so whoever reads rows holds `reading`.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from partreid.drawing.label_views import VIEWS
from partreid.errors import UserError, choose
from partreid.inspection.listing import Known
from partreid.inspection.sources import CACHE, EVERY, file, sources, word
from partreid.labels import LABELS, native
from partreid.params import Params
from partreid.quality.images import Images, open_images
from partreid.quality.side import Side, open_side
from partreid.serving.labels_comparison import Comparison
from partreid.storage import image_table, places
from partreid.tools import TOOLS

OPEN = 8  # labels that stay open, each with a chunk of its maps (some 20 MB)
DRAWN = 512  # pictures of the grid that are remembered, some 10 kB each
COMPARED = 2  # pairs whose agreement is remembered


@dataclass(frozen=True)
class DataSet:
    """An image table, and what is asked of it again and again."""

    images: Images
    split: np.ndarray  # strings (N,)
    person: np.ndarray  # strings (N,): what each person is called


@dataclass(frozen=True)
class Opened:
    """A data set's label from one source, and what is known of all images without opening a map."""

    number: int  # no other has it
    of: DataSet
    label: str
    side: Side
    status: np.ndarray  # uint8 (N,), of the label itself
    score: np.ndarray  # float32 (N,)


class Shelf:
    """See above. p: params.yaml, as it was when the server started."""

    def __init__(self, p: Params):
        self.p = p
        self.reading = threading.RLock()
        self._opening = threading.RLock()
        self._numbers = count()
        self._sets = _Kept(len(p.datasets))
        self._labels = _Kept(OPEN)
        self._pairs = _Kept(COMPARED, lambda comparison: comparison.stop())
        self._pictures = _Kept(DRAWN)

    def catalogue(self) -> dict[str, dict[str, list[str]]]:
        """Data set -> label -> where it can be had from; only what is there."""
        found = {name: {label: sources(label, name) for label in EVERY} for name in self.p.datasets}
        some = {name: {label: each for label, each in labels.items() if each} for name, labels in found.items()}
        return {name: labels for name, labels in some.items() if labels}

    def data_set(self, name: str) -> DataSet:
        """UserError when params.yaml does not know it, or it has no image table."""
        choose(dict.fromkeys(self.p.datasets), name, "data set (`datasets` in params.yaml)")
        with self._opening:
            return self._sets.get((name, _stamp(places.index(name))), lambda: self._data_set(name))

    def label(self, dataset: str, label: str, source: str) -> Opened:
        """UserError when there is none; it says what would make one."""
        choose(dict.fromkeys(EVERY), label, "label")
        of = self.data_set(dataset)
        with self._opening:
            key = (dataset, label, source, self._written(dataset, label))
            return self._labels.get(key, lambda: self._label(of, label, source))

    def comparison(self, dataset: str, label: str, a: str, b: str) -> Comparison:
        """How far two sources' labels agree, image by image: at work until it is done."""
        with self._opening:
            key = (dataset, label, a, b, self._written(dataset, label))
            return self._pairs.get(key, lambda: self._comparison(dataset, label, a, b))

    def picture(self, opened: Sequence[Opened], about: Hashable, draw: Callable[[], bytes]) -> bytes:
        """What `draw` makes of labels, or made of them before. about: what it depends on besides the labels."""
        key = (*(each.number for each in opened), about)
        return self._pictures.get(key, draw)

    def _data_set(self, name: str) -> DataSet:
        images = open_images(name, self.p)
        return DataSet(images, images.splits(), np.array(image_table.persons(images.table)))

    def _label(self, of: DataSet, label: str, source: str) -> Opened:
        side = self._side(of, label, source)
        score = side.cache.rows("score", np.arange(len(of.images)))
        return Opened(next(self._numbers), of, label, side, self._status(of, label, source, side), score)

    def _status(self, of: DataSet, label: str, source: str, side: Side) -> np.ndarray:
        """A label that takes something from a second tool has the worse of both tools' status."""
        status = side.status
        for member in LABELS[label].beside if source != CACHE else ():
            if member not in side.cache.header["gives"]:
                other = native.output(self.p.labels[label].options[member], of.images.name, of.images.file)
                status = np.maximum(status, other.status)
        return status

    def _side(self, of: DataSet, label: str, source: str) -> Side:
        options = self.p.labels[label].options if label in self.p.labels else {}
        return open_side(word(label, of.images.name, source), label, VIEWS[label].members, of.images, options)

    def _comparison(self, dataset: str, label: str, a: str, b: str) -> Comparison:
        of = self.data_set(dataset)
        # opened once more: a scan goes from chunk to chunk, and would take the pages' chunks away
        return Comparison(label, self._side(of, label, a), self._side(of, label, b), len(of.images), self.reading)

    def _written(self, dataset: str, label: str) -> Hashable:
        """Changes when one of the files changes that a label could be of."""
        every = [places.index(dataset), file(label, dataset), *(native.file(tool, dataset) for tool in TOOLS)]
        return tuple(_stamp(path) for path in every)


class _Kept:
    """The last few of what was made. given_up: is called with what is kept no longer. Threads may share it."""

    def __init__(self, most: int, given_up: Callable[[Any], None] = lambda _: None):
        self._most, self._given_up = most, given_up
        self._made: OrderedDict[Hashable, Any] = OrderedDict()
        self._changing = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """What was made for the key; two threads may make it at once."""
        with self._changing:
            if key in self._made:
                self._made.move_to_end(key)
                return self._made[key]
        made = make()
        with self._changing:
            self._made[key] = made
            over = [self._made.popitem(last=False)[1] for _ in range(len(self._made) - self._most)]
        for old in over:
            self._given_up(old)
        return made


def known(first: Opened, second: Opened | None, comparison: Comparison | None) -> Known:
    """What a page is chosen by. second: the label beside the first, with how far they agree."""
    other = None if second is None else second.status
    agreement = None if comparison is None else comparison.values
    return Known(first.of.split, first.of.person, first.status, first.score, other, agreement)


def need_pictures(images: Images) -> str | None:
    """Why no photo of the data set can be shown, if so."""
    try:
        images.need_root()
    except UserError as error:
        return str(error)
    return None


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_size
