"""The server: parts, each a page with what it asks for, behind one guard (partreid.serving.guard).

A part is added where stages/serve.py makes the list. Its handlers take a starlette request; `shown` renders a page,
`answer` JSON; a UserError that they raise becomes JSON, {"error": text}, with the status 400. A handler that is a plain
function runs in a thread of its own, so it may take its time.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from partreid.drawing import pages
from partreid.errors import UserError
from partreid.serving.guard import Guard

HERE = Path(__file__).parent
FILES = {"pages.css": pages.STYLE, "serving.css": HERE / "serving.css"}  # of every page


@dataclass(frozen=True)
class Part:
    """One page with what it asks for.

    path: where it lies, as "/search". title: what the navigation calls it. routes: below the path; "/" is the page.
    files: static files of its own, served under /static/<name>; there is no other way from a name to a file.
    """

    path: str
    title: str
    routes: Sequence[BaseRoute]
    files: Mapping[str, Path] = field(default_factory=dict)


def application(parts: Sequence[Part], token: str | None = None) -> Guard:
    """The server of one or more parts. token: what every request must know; None where only this machine can ask."""
    files = FILES | {name: file for part in parts for name, file in part.files.items()}

    def static(request: Request) -> Response:
        file = files.get(request.path_params["name"])
        if file is None:
            raise HTTPException(404, "no such file")
        return FileResponse(file, headers={"Cache-Control": "no-cache"})

    def home(_request: Request) -> Response:
        return RedirectResponse(f"{parts[0].path}/")

    app = Starlette(
        routes=[
            Route("/", home),
            Route("/static/{name}", static),
            *(Mount(part.path, routes=list(part.routes)) for part in parts),
        ],
        exception_handlers={UserError: _mistake, HTTPException: _refused, Exception: _fault},
    )
    app.state.parts = [(part.path, part.title) for part in parts]
    return Guard(app, token)


def shown(request: Request, template: str, **values: Any) -> HTMLResponse:
    """A page: a template of this folder, which extends base.html. Nothing inline: the guard's policy forbids it."""
    here = "/" + request.url.path.strip("/").partition("/")[0]
    html = _templates().get_template(template).render(parts=request.app.state.parts, here=here, **values)
    return HTMLResponse(html)


def answer(value: Any, status: int = 200) -> JSONResponse:
    """JSON. Numbers that JSON lacks (infinity, NaN) become null."""
    return JSONResponse(_finite(value), status)


async def body(request: Request, most: int) -> bytes:
    """What was sent, at most `most` bytes: more is refused before it is read."""
    refused = HTTPException(413, f"what was sent is larger than {most / 2**20:.0f} MB")
    if int(request.headers.get("content-length", "0") or 0) > most:
        raise refused
    found = bytearray()
    async for some in request.stream():
        found += some
        if len(found) > most:
            raise refused
    return bytes(found)


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {name: _finite(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return value


@lru_cache(maxsize=1)
def _templates() -> Environment:
    return pages.templates(HERE)


def _mistake(_request: Request, error: Exception) -> Response:
    return answer({"error": str(error)}, 400)


def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return answer({"error": error.detail}, error.status_code)


def _fault(_request: Request, _error: Exception) -> Response:
    # starlette raises it again, so that the terminal shows where; a stranger is told nothing of the inside
    return answer({"error": "the server made a mistake; the terminal that it runs in says which"}, 500)
