"""The label viewer: a page to look through label caches, one or two tools at a time, and what it asks the server for.

Addresses name a data set, a label, sources and images by words of params.yaml and numbers (labels_query), never files.
"""

import time
from pathlib import Path
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from partreid.drawing.label_views import VIEWS
from partreid.errors import UserError, choose
from partreid.inspection import stats
from partreid.inspection.listing import rows
from partreid.inspection.sources import CACHE, EVERY, remedy, sources
from partreid.labels import LABELS, coverage, grouping
from partreid.params import Params
from partreid.quality import MEASURES
from partreid.serving import labels_pictures as pictures
from partreid.serving.app import Part, answer, shown
from partreid.serving.labels_query import Asked, asked, need
from partreid.serving.labels_shelf import Opened, Shelf, known, need_pictures
from partreid.storage import image_table
from partreid.storage.cache import FAILED, STATUS

PAGE = 48  # images on a page
HERE = Path(__file__).parent
FILES = ("labels.css", "labels.js", "labels_image.js", "labels_numbers.js", "labels_page.js", "labels_record.js")


def part(p: Params) -> Part:
    """The viewer of the current folder's labels, for partreid.serving.app."""
    viewer = Viewer(Shelf(p))
    return Part(
        "/labels",
        "Labels",
        [
            Route("/", viewer.page),
            Route("/catalogue", viewer.catalogue),
            Route("/about", viewer.about),
            Route("/rows", viewer.rows),
            Route("/strip/{row:int}", viewer.strip),
            Route("/image/{row:int}", viewer.image),
            Route("/label/{row:int}", viewer.label),
            Route("/record", viewer.record),
        ],
        {name: HERE / name for name in FILES},
    )


class Viewer:
    """The handlers; each answers a request."""

    def __init__(self, shelf: Shelf):
        self._shelf = shelf

    def page(self, request: Request) -> Response:
        return shown(request, "labels.html")

    def catalogue(self, _request: Request) -> Response:
        """What there is to look at; where nothing is, how to make something."""
        found = self._shelf.catalogue()
        first = self._shelf.p.dataset
        names = dict(sorted(found.items(), key=lambda each: each[0] != first))
        nothing = f"There are no labels in this folder yet; {remedy('pifpaf', first)}, of pifpaf of {first}."
        return answer(
            {
                "datasets": names,
                "parts": [str(key) for key in grouping.GROUPS],
                "statuses": STATUS,
                "nothing": None if names else nothing,
            }
        )

    def about(self, request: Request) -> Response:
        """What is said once of a label from one or two sources."""
        ask = asked(request.query_params)
        labels = self._labels(ask)
        view, first = VIEWS[ask.label], labels[0]
        choose({str(key): key for key in grouping.GROUPS}, ask.parts, "number of parts")
        return answer(
            {
                "title": f"{ask.label} labels of {ask.dataset}",
                "sources": [_source(opened, source) for opened, source in zip(labels, (ask.a, ask.b), strict=False)],
                "splits": [
                    {"name": name, "images": images, "counts": counts}
                    for name, images, counts in coverage.by_split(first.of.split, first.status)
                ],
                "scores": [
                    {"low": low, "high": high, "images": images}
                    for low, high, images in coverage.histogram(first.score[first.status != FAILED])
                ],
                "legend": {name: "rgb({}, {}, {})".format(*colour) for name, colour in view.legend(ask.parts).items()},
                "note": view.note,
                "agreement": MEASURES[ask.label].scored if ask.b else None,
                "photos": need_pictures(first.of.images),
            }
        )

    def rows(self, request: Request) -> Response:
        """A page of images."""
        ask = asked(request.query_params)
        labels = self._labels(ask)
        comparison = self._shelf.comparison(ask.dataset, ask.label, ask.a, ask.b) if ask.b else None
        found = rows(known(labels[0], labels[1] if ask.b else None, comparison), ask.wanted)
        pages = max(1, -(-len(found) // PAGE))
        place = np.flatnonzero(found == ask.at)
        page = int(place[0]) // PAGE + 1 if len(place) else min(ask.page, pages)
        here = found[(page - 1) * PAGE : page * PAGE].tolist()
        agreement = comparison.values if comparison else None
        return answer(
            {
                "total": len(found),
                "of": len(labels[0].score),
                "page": page,
                "pages": pages,
                "rows": [_row(labels, row, agreement) for row in here],
                "compared": comparison and {"done": comparison.done, "error": comparison.error},
            }
        )

    def strip(self, request: Request) -> Response:
        """A picture of the grid."""
        ask = asked(request.query_params)
        labels = self._labels(ask)
        data = pictures.strip(self._shelf, labels, _numbered(labels[0], request), ask.parts)
        return Response(data, media_type="image/jpeg")

    def image(self, request: Request) -> Response:
        """An image, and which labels there are of it."""
        dataset = need(request.query_params, "dataset")
        of = self._shelf.data_set(dataset)
        row = _in_range(request.path_params["row"], len(of.images))
        table = of.images.table.slice(row, 1)
        return answer(
            {
                "id": row,
                "path": of.images.path(row),
                "split": str(of.split[row]),
                "person": str(of.person[row]),
                "called": image_table.called(table)[0],
                "size": [table["width"][0].as_py(), table["height"][0].as_py()],
                "photo": pictures.photo(of.images, row),
                "labels": {name: sources(name, dataset) for name in EVERY},
                "remedies": {name: remedy(name, dataset) for name in LABELS},
            }
        )

    def label(self, request: Request) -> Response:
        """All there is of one label of an image from one source."""
        ask = asked(request.query_params)
        opened = self._labels(ask)[0]
        found = pictures.label(self._shelf, opened, _numbered(opened, request), ask.parts)
        view = VIEWS[ask.label]
        legend = {name: "rgb({}, {}, {})".format(*colour) for name, colour in view.legend(ask.parts).items()}
        return answer({**found, **_source(opened, ask.a), "legend": legend, "notes": view.notes})

    def record(self, request: Request) -> Response:
        """Where a label comes from: the file, the tool, its parameters; takes as long as reading the files."""
        ask = asked(request.query_params)
        now = time.time()
        lists: list[tuple[str, stats.Facts]] = []
        for opened in self._labels(ask):
            side = opened.side
            own = [] if side.cache.header["kind"] == side.header["kind"] else stats.spread("label", side.header)
            lists.append((str(side.cache.path), stats.facts(side.cache, now) + own))
            if side.header is side.cache.header and ask.label in LABELS:
                lists.append(("what it was made of", stats.tool_facts(side.header, opened.of.images, now)))
        return answer([{"title": title, "facts": facts} for title, facts in lists])

    def _labels(self, ask: Asked) -> list[Opened]:
        """One or two, as asked."""
        if ask.b and ask.label not in MEASURES:
            raise UserError(f"{ask.label} labels have one source, so there is nothing to put beside it")
        if ask.a == ask.b:
            raise UserError(f"{ask.a} is on both sides; choose another second tool")
        return [self._shelf.label(ask.dataset, ask.label, source) for source in (ask.a, ask.b) if source]


def _source(opened: Opened, source: str) -> dict[str, Any]:
    """What a source is called."""
    made = "cached" if source == CACHE else "made now"
    return {"source": source, "name": opened.side.header["tool"], "made": made}


def _row(labels: list[Opened], row: int, agreement: np.ndarray | None) -> dict[str, Any]:
    images = labels[0].of.images
    return {
        "id": row,
        "path": images.path(row),
        "split": str(labels[0].of.split[row]),
        "person": str(labels[0].of.person[row]),
        "status": [STATUS[opened.status[row]] for opened in labels],
        "score": [float(opened.score[row]) for opened in labels],
        "agreement": None if agreement is None else float(agreement[row]),
        "size": [pictures.strip_width(images, row, len(labels)), pictures.HEIGHT],
    }


def _numbered(opened: Opened, request: Request) -> int:
    return _in_range(request.path_params["row"], len(opened.score))


def _in_range(row: int, images: int) -> int:
    if row >= images:
        raise UserError(f"there is no image {row}; the image table has 0..{images - 1}")
    return row
