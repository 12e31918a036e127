"""A real browser, headless, and a server that it asks; for tests of pages."""

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import uvicorn
from starlette.types import ASGIApp

from partreid.serving.listening import address, bound

sync_api = pytest.importorskip("playwright.sync_api")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@contextmanager
def chromium() -> Iterator[sync_api.Browser]:
    """Skips, with the reason, where there is none."""
    if CHROMIUM is None:
        pytest.skip("no chromium on the PATH: apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@contextmanager
def served(app: ASGIApp) -> Iterator[str]:
    """The address at which the application answers, in a thread of this process."""
    with bound("127.0.0.1", 0) as listening:
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield address(listening, None)
        finally:
            server.should_exit = True
            thread.join()


@contextmanager
def opened(
    browser: sync_api.Browser, base: str, width: int, height: int = 900, refused: int = 0
) -> Iterator[sync_api.Page]:
    """A page of this size. At its end: nothing was asked of another address, and no script complained.

    refused: how many questions the server answers with an error, which the browser tells too.
    """
    context = browser.new_context(viewport={"width": width, "height": height}, reduced_motion="reduce")
    page = context.new_page()
    page.set_default_timeout(20_000)
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    yield page
    assert all(url.startswith((base, "data:", "blob:")) for url in asked), asked
    assert len([text for text in said if "400 (Bad Request)" in text]) == refused
    assert len(said) == refused, said
    context.close()
