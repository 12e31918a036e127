"""A real browser, and a real server for it, for the tests of the pages."""

import os
import re
import shutil
import threading
from contextlib import contextmanager

import pytest

from partreid.serving import listening

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
NEEDED = "PARTREID_NEEDS_BROWSER"  # set by continuous integration: a browser that is missing is a failure there
PATIENCE = 15_000  # milliseconds
NO_ADDRESS = re.compile("(?!)")


def missing(reason):
    if os.environ.get(NEEDED):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="module")
def chromium():
    """Chromium without a window, on a fresh profile. Skipped with the reason where there is none."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("no playwright: `make setup` installs it")
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        missing("no Chromium: `apt-get install chromium`, or another way to have one of " + ", ".join(BROWSERS))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, headless=True, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def served(request):
    """A function: an application -> the address at which it answers until the tests of the file are over."""
    request.getfixturevalue("chromium")  # without a browser nobody asks

    @contextmanager
    def running(app):
        with listening.bound("127.0.0.1", 0) as socket:
            server = listening.server(app)
            thread = threading.Thread(target=server.run, kwargs={"sockets": [socket]}, daemon=True)
            thread.start()
            yield listening.address(socket, None)
            server.should_exit = True
            thread.join(10)

    contexts = []

    def start(app):
        contexts.append(running(app))
        return contexts[-1].__enter__()

    yield start
    for context in contexts:
        context.__exit__(None, None, None)


@pytest.fixture
def tab(chromium):
    """A function that opens a tab (width, height). Faults of its scripts, and asking elsewhere, fail the test."""
    faults, contexts = [], []

    def opened(width=1200, height=800, **options):
        context = chromium.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        # A tab whose requests pass by here from its first one on: one that is told only when a test wants to stop a
        # request may send the next one past it.
        page.route(NO_ADDRESS, lambda route: route.abort())
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda said: faults.append(said.text) if "Content Security Policy" in said.text else None)
        page.on(
            "request",
            lambda asked: asked.url.startswith(("http://127.0.0.1:", "blob:", "data:")) or faults.append(asked.url),
        )
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not faults


@pytest.fixture
def slow():
    """A block's context (page, path): what the page asks for there is answered at the block's end."""

    @contextmanager
    def waiting(page, path):
        asked = []
        page.route(re.compile(path), lambda route: asked.append(route))
        yield
        for route in asked:
            route.continue_()
        page.unroute(re.compile(path))

    return waiting
