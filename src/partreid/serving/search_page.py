"""The page to search with, and what it asks for.

GET  /search/                the page
POST /search/photos          a photo's bytes -> {photo, width, height, boxes, meant}
GET  /search/photos/<name>   that photo, upright, as JPEG
POST /search/rankings        {photo, box, top, camera, words} -> {found, ...}, see asking.Asking.rank
GET  /search/images/<row>    an image of the gallery, small, or with ?large=1 larger, as JPEG
POST /search/marks           [{photo, box, row, ...}] -> CSV
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from partreid.drawing.pictures import jpeg
from partreid.errors import UserError
from partreid.serving import marks
from partreid.serving.app import HERE, Part, answer, body, shown
from partreid.serving.asking import Asking
from partreid.serving.photos import MOST_BYTES, reduced
from partreid.tools.reading import picture

SHOWN = 1600  # pixels of the longer side of a photo as it is shown
SMALL, LARGE = 320, 1024  # of an image of the gallery
MOST_JSON = 4 * 2**20
FILES = {file.name: file for file in sorted(HERE.glob("search*.*")) if file.suffix in (".css", ".js")}


def part(asking: Asking, told: str, facts: Sequence[tuple[str, str]], subtitle: str) -> Part:
    """The part of the server. told: what is to be said of the threshold. facts: names and values of the record."""

    def page(request: Request) -> Response:
        return shown(
            request,
            "search.html",
            subtitle=subtitle,
            told=told,
            facts=facts,
            cameras=asking.cameras(),
            folders=asking.folders(),
            finds=asking.find is not None,
            images=len(asking.gallery),
            known=asking.limit is not None,
        )

    async def photos(request: Request) -> Response:
        data = await body(request, MOST_BYTES)
        return answer(await run_in_threadpool(asking.add, data))

    def photo(request: Request) -> Response:
        return _jpeg(reduced(asking.photos.get(request.path_params["name"]).image, SHOWN))

    async def rankings(request: Request) -> Response:
        asked = _json(await body(request, MOST_JSON))
        return answer(await run_in_threadpool(asking.rank, asked))

    def image(request: Request) -> Response:
        row = request.path_params["row"]
        if not (row.isascii() and row.isdecimal() and len(row) < 12 and int(row) < len(asking.gallery)):
            raise HTTPException(404, f"the gallery has {len(asking.gallery)} images")
        found = picture(Path(asking.gallery.paths[int(row)]))
        if found is None:
            raise HTTPException(404, "the image's file is gone or damaged")
        return _jpeg(reduced(found, LARGE if request.query_params.get("large") else SMALL))

    async def marked(request: Request) -> Response:
        text = await run_in_threadpool(marks.table, _json(await body(request, MOST_JSON)), asking.gallery)
        headers = {"Content-Disposition": 'attachment; filename="marks.csv"'}
        return Response("\ufeff" + text, media_type="text/csv; charset=utf-8", headers=headers)  # Excel wants the mark

    routes = [
        Route("/", page),
        Route("/photos", photos, methods=["POST"]),
        Route("/photos/{name}", photo),
        Route("/rankings", rankings, methods=["POST"]),
        Route("/images/{row}", image),
        Route("/marks", marked, methods=["POST"]),
    ]
    return Part("/search", "Search", routes, FILES)


def _jpeg(image: Any) -> Response:
    return Response(jpeg(image, 88), media_type="image/jpeg")


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise UserError("expected JSON") from error
