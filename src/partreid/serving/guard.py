"""What stands before every page: who may ask, and what a browser is told to refuse.

Without a token only this machine can ask, since the server listens on a loopback address. Three ways remain by which a
page from elsewhere could use the browser of this machine's user:
  DNS rebinding  its own name is made to lead to 127.0.0.1: the Host header then names neither a loopback address nor
                 `localhost`, and the request is refused;
  cross-site requests (CSRF), also by <img>: the browser says in Sec-Fetch-Site, or in Origin, where they come from;
  framing, and scripts that a file name smuggles in: the content security policy allows neither.
With a token (listening beyond loopback) any Host will do, but every request must bring the token: once in the address,
`?token=`, which sets a cookie that other sites' requests do not carry and leads to the address without it; or as
`Authorization: Bearer`. Comparing takes the same time whatever is wrong.
"""

import hmac
import ipaddress
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "partreid-token"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
PRIVATE = "no-store"  # of what says nothing of its own: photos of people are not left in a browser's cache


class Guard:
    """Stands around the whole application, its answers to faults included. token: see above."""

    def __init__(self, app: ASGIApp, token: str | None = None):
        self.app, self.token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":  # no part has websockets
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                headers.setdefault("Cache-Control", PRIVATE)
            await send(message)

        stop = self._stopped(scope)
        await (self.app if stop is None else stop)(scope, receive, sent)

    def _stopped(self, scope: Scope) -> Response | None:
        """The answer to a request that may not pass; None for one that may."""
        headers = Headers(scope=scope)
        if self.token is None and not loopback(name_of(headers.get("host", ""))):
            return refusal(403, "this server answers only to its own address; open the one that it printed")
        if foreign(scope["method"], headers):
            return refusal(403, "the request comes from another site")
        return None if self.token is None else self._asked_for_token(scope, headers, self.token)

    def _asked_for_token(self, scope: Scope, headers: Headers, token: str) -> Response | None:
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        given = next((value for name, value in query if name == "token" and value), "")
        if given and scope["method"] == "GET":
            if not same(given, token):
                return refusal(401, "the token in the address is not this server's")
            rest = urlencode([pair for pair in query if pair[0] != "token"])
            path = "/" + scope["path"].lstrip("/")  # one slash: //name is another machine
            answer = RedirectResponse(f"{path}?{rest}" if rest else path, 303)
            answer.set_cookie(COOKIE, token, httponly=True, samesite="strict")
            return answer
        cookie = cookie_parser(headers.get("cookie", "")).get(COOKIE)  # whatever other servers of this name have set
        kind, _, bearer = headers.get("authorization", "").partition(" ")
        brought = [cookie] if cookie else []
        brought += [bearer.strip()] if kind.lower() == "bearer" else []
        if any(same(each, token) for each in brought):
            return None
        return refusal(401, "this server asks for its token: open the address that it printed")


def same(given: str, token: str) -> bool:
    """Whether two texts are equal, in a time that does not say how far they are."""
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), token.encode())


def foreign(method: str, headers: Headers) -> bool:
    """Whether a page of another site makes the browser ask. Following a link to here is allowed: it only looks."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        follows = method == "GET" and headers.get("sec-fetch-mode") == "navigate"
        return site not in ("same-origin", "none") and not follows
    origin = headers.get("origin")  # of browsers that say no more; programs say neither
    return origin is not None and origin.lower().partition("://")[2] != headers.get("host", "").lower()


def loopback(name: str) -> bool:
    """Whether a host's name or address can only be this machine."""
    if name.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def name_of(host: str) -> str:
    """The name in a Host header, without its port; "" of one that is none."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def refusal(status: int, text: str) -> Response:
    """An answer in the form of all errors."""
    return JSONResponse({"error": text}, status)
