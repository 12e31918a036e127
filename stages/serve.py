"""Search, or look, in a browser: a local web server, until Ctrl-C.

    python stages/serve.py                                                  # look at this project's labels
    python stages/serve.py --gallery FOLDER                                 # and search
    python stages/serve.py --gallery runs/bot-market1501/embeddings.npz

The gallery is anything that stages/search.py takes, and its arguments mean the same. Drop a photo, choose the person in
it, see who is alike. Persons in a photo are found by MoveNet's published weights. Photos stay in memory; nothing that
is sent is written anywhere.
Only this machine can ask. --host with another address lets others in who bring the token: that of the environment
variable PARTREID_TOKEN, or a new one; the printed address holds it. The connection is not encrypted.
"""

from __future__ import annotations

import argparse
from functools import partial
from typing import TYPE_CHECKING

from partreid import params
from partreid.errors import UserError
from partreid.program import at_least, run
from partreid.search import arguments

if TYPE_CHECKING:  # torch is imported where it is needed: --help and most mistakes show without it
    from partreid.serving.app import Part
    from partreid.serving.asking import Find

INDEXES = ("auto", "whole", "approximate")


def main() -> None:
    given = parsed()
    try:
        from partreid.serving import app, labels_pages, listening
    except ImportError as error:
        raise UserError(f"this needs the extra `serve` ({error}); pip install 'partreid[serve]'") from error
    token = listening.token_for(given.host)
    with listening.bound(given.host, given.port) as socket:  # before the long work, whose end would be too late
        parts = [] if given.gallery is None else [search_part(given)]
        parts.append(labels_pages.part(params.load()))
        print(f"open {listening.address(socket, token)}  (Ctrl-C ends)", flush=True)
        listening.serve(app.application(parts, token), socket)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add(parser, INDEXES, gallery_required=False)
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on")
    parser.add_argument("--port", type=at_least(0), default=8000, help="0: any that is free")
    given = parser.parse_args()
    idle = [name for name in ("weights", "index", "shortlist", "false_match_rate", "out") if given.gallery is None]
    if said := [name for name in idle if getattr(given, name) != parser.get_default(name)]:
        raise UserError(f"--{said[0].replace('_', '-')} is for a search; say with --gallery what is searched")
    arguments.check(given, INDEXES, 1)
    return given


def search_part(given: argparse.Namespace) -> Part:
    """The page to search with."""
    from partreid.api.model import load
    from partreid.search.finder import Ready
    from partreid.search.opened import named, opened
    from partreid.serving import asking, search_page

    here = opened(given, params.load())
    gallery = here.gallery
    limit, told = here.threshold(given.false_match_rate, set())
    ready = Ready(gallery, here.trained.method.distance, here.kind, max(given.shortlist, asking.TOP))
    model = load(here.weights, device=here.device, precision="float32", at_test=here.at_test)
    asked = asking.Asking(model, gallery, ready, limit, finder())
    return search_page.part(asked, told, named(here.about(given.gallery, ready.count)), here.subtitle)


def finder() -> Find | None:
    """What finds persons in a photo; None, and a word, where its weights cannot be had."""
    from partreid.tools import multipose

    try:
        return partial(multipose.find, *multipose.files())
    except UserError as error:
        print(f"persons in photos will not be found, only drawn: {error}")
        return None


if __name__ == "__main__":
    run(main)
