"""Listening on a port until Ctrl-C."""

import os
import secrets
import socket

import uvicorn
from starlette.types import ASGIApp

from partreid.errors import UserError
from partreid.serving.guard import loopback

LEAST = 16  # letters of a token that a person chooses
TOKEN = "PARTREID_TOKEN"  # the environment variable that may hold it: a command line is for all users to read


def token_for(host: str) -> str | None:
    """The token that requests must bring: none on a loopback address, else that of the environment or a new one."""
    given = os.environ.get(TOKEN)
    if given is not None and (len(given) < LEAST or not given.isascii() or not given.isprintable() or " " in given):
        raise UserError(f"{TOKEN} must be {LEAST} or more letters and digits without spaces; unset it to get a new one")
    if given or loopback(host):
        return given
    return secrets.token_urlsafe(24)


def bound(host: str, port: int) -> socket.socket:
    """A socket that listens. port: 0 for a free one. UserError where that cannot be."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError, UnicodeError) as error:  # the last: a name that no host can have
        what = getattr(error, "strerror", None) or error
        raise UserError(
            f"cannot listen on {host}, port {port} ({what}); choose others with --host and --port"
        ) from error


def address(listening: socket.socket, token: str | None) -> str:
    """What to open in a browser."""
    host, port = listening.getsockname()[:2]
    host = {"0.0.0.0": socket.gethostname(), "::": socket.gethostname()}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{host}:{port}/" + (f"?token={token}" if token else "")


def server(app: ASGIApp) -> uvicorn.Server:
    """What answers, by `run(sockets=[...])`, until its `should_exit` is set."""
    # no proxy is believed about who asks, and nobody is told what answers
    return uvicorn.Server(
        uvicorn.Config(
            app, log_level="warning", access_log=False, proxy_headers=False, server_header=False, lifespan="off"
        )
    )


def serve(app: ASGIApp, listening: socket.socket) -> None:
    """Answer until Ctrl-C."""
    try:
        server(app).run(sockets=[listening])
    except KeyboardInterrupt:
        print("stopped")
