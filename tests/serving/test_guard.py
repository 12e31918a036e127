"""Who may ask the server, and what every answer tells the browser."""

import asyncio

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.routing import Route
from starlette.testclient import TestClient

from partreid.errors import UserError
from partreid.serving import app as serving
from partreid.serving.guard import HEADERS, loopback, name_of

TOKEN = "correct horse".replace(" ", "-") + "-battery"
POST = {"Content-Type": "image/png"}


def echo(request: Request):
    return serving.answer({"method": request.method, "far": float("inf"), "list": [1.5, float("nan")]})


def mistake(_request: Request):
    raise UserError("found 2, expected 1")


def fault(_request: Request):
    raise RuntimeError("secret of the inside")


ROUTES = [
    Route("/", echo),
    Route("/echo", echo, methods=["GET", "POST"]),
    Route("/mistake", mistake),
    Route("/fault", fault),
]


@pytest.fixture
def own(tmp_path):
    file = tmp_path / "own.js"
    file.write_text("1;")
    return serving.Part("/part", "Part", ROUTES, {"own.js": file})


def client(part, token=None, host="127.0.0.1:8000"):
    app = serving.application([part], token)
    return TestClient(app, f"http://{host}", raise_server_exceptions=False, follow_redirects=False)


@pytest.mark.parametrize("path", ["/", "/part/echo", "/part/mistake", "/part/fault", "/nothing", "/static/pages.css"])
def test_every_answer_carries_the_headers(own, path):
    found = client(own).get(path)
    for name, value in HEADERS.items():
        assert found.headers[name] == value
    assert found.headers["Cache-Control"] == ("no-cache" if path.startswith("/static") else "no-store")
    assert "script-src 'self';" in HEADERS["Content-Security-Policy"]
    assert "unsafe" not in HEADERS["Content-Security-Policy"]


def test_errors_are_json_and_say_nothing_of_the_inside(own):
    ask = client(own)
    found = ask.get("/part/mistake")
    assert (found.status_code, found.json()) == (400, {"error": "found 2, expected 1"})
    found = ask.get("/part/fault")
    assert found.status_code == 500
    assert "secret" not in found.text
    assert "error" in found.json()
    assert (ask.get("/nothing").status_code, ask.get("/nothing").json()) == (404, {"error": "Not Found"})
    assert ask.post("/part/mistake", headers=POST).status_code == 405


def test_json_has_null_for_what_it_lacks(own):
    assert client(own).get("/part/echo").json() == {"method": "GET", "far": None, "list": [1.5, None]}


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost:8000", "LOCALHOST", "[::1]:8000", "127.8.0.1"])
def test_the_machines_own_names_are_answered(own, host):
    assert client(own).get("/part/echo", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example:8000", "192.168.1.7", "localhost.evil.example", "", "[::1", "a@127.0.0.1x"]
)
def test_a_name_that_was_made_to_lead_here_is_refused(own, host):
    found = client(own).get("/part/echo", headers={"Host": host})
    assert found.status_code == 403
    assert "its own address" in found.json()["error"]


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("POST", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, 403),
        ("POST", {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"}, 403),  # another port of this machine
        ("POST", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, 403),  # a form
        ("POST", {"Origin": "http://evil.example"}, 403),
        ("POST", {"Origin": "http://127.0.0.1:9999"}, 403),
        ("POST", {"Origin": "null"}, 403),
        ("POST", {"Origin": "http://[evil"}, 403),
        ("POST", {"Origin": "http://127.0.0.1:8000@evil.example"}, 403),
        ("GET", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, 403),  # an <img>
        ("GET", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, 200),  # a link
        ("GET", {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"}, 200),  # typed in
        ("POST", {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}, 200),
        ("POST", {"Origin": "http://127.0.0.1:8000"}, 200),
        ("POST", {}, 200),  # a program
    ],
)
def test_other_sites_cannot_have_the_browser_ask(own, method, headers, status):
    assert client(own).request(method, "/part/echo", headers=headers).status_code == status


def test_with_a_token_every_request_must_bring_it(own):
    ask = client(own, TOKEN, "192.168.1.7:8000")
    for path in ("/", "/part/echo", "/static/pages.css", "/nothing"):
        found = ask.get(path)
        assert found.status_code == 401
        assert "token" in found.json()["error"]
    for wrong in ("", "x", TOKEN[:-1], TOKEN + "x", "é" * 20):
        assert ask.get("/part/echo", params={"token": wrong}).status_code == 401
        assert ask.get("/part/echo", headers={"Authorization": f"Bearer {wrong}".encode()}).status_code == 401
        assert ask.get("/part/echo", headers={"Cookie": f"partreid-token={wrong}".encode()}).status_code == 401
    assert ask.get("/part/echo", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
    assert ask.post("/part/echo", params={"token": TOKEN}).status_code == 401  # an address starts with looking


def test_the_address_with_the_token_leads_to_one_without_it(own):
    ask = client(own, TOKEN, "192.168.1.7:8000")
    found = ask.get("/part/echo", params={"token": TOKEN})
    assert (found.status_code, found.headers["Location"]) == (303, "/part/echo")
    cookie = found.headers["Set-Cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert ask.get("/part/echo").status_code == 200  # the client keeps the cookie
    found = ask.get(f"/part/echo?label=heads&person=Ann+%26+Bob&b=&token={TOKEN}&at=0")  # a view that was passed on
    assert found.headers["Location"] == "/part/echo?label=heads&person=Ann+%26+Bob&b=&at=0"
    found = ask.get("http://192.168.1.7:8000//evil.example/x", params={"token": TOKEN})
    assert found.headers["Location"] == "/evil.example/x"


@pytest.mark.parametrize("other", ["a/b=1", "who@there=1", '{"a":1}', "expires=1", 'x="a b"c', "bare"])
def test_cookies_of_other_servers_of_the_machine_are_in_nobodys_way(own, other):
    ask = client(own, TOKEN, "192.168.1.7:8000")
    assert ask.get("/part/echo", headers={"Cookie": f"{other}; partreid-token={TOKEN}"}).status_code == 200
    assert ask.get("/part/echo", headers={"Cookie": other}).status_code == 401


def test_a_body_is_read_no_further_than_it_may_be():
    read = []

    async def receive():
        read.append(1)
        return {"type": "http.request", "body": bytes(100), "more_body": len(read) < 1000}

    def request(**headers):
        pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        return Request({"type": "http", "method": "POST", "headers": pairs}, receive)

    with pytest.raises(HTTPException, match="413"):
        asyncio.run(serving.body(request(content_length="501"), 500))
    assert not read
    with pytest.raises(HTTPException, match="413"):
        asyncio.run(serving.body(request(), 500))
    assert len(read) == 6
    read[:] = [1] * 997
    assert asyncio.run(serving.body(request(), 500)) == bytes(300)


def test_static_files_are_those_of_the_list(own):
    ask = client(own)
    assert ask.get("/static/own.js").text == "1;"
    for name in ("app.py", "../app.py", "..%2fapp.py", "%2e%2e/app.py", "/etc/passwd", "own.js/..", "."):
        assert ask.get(f"/static/{name}").status_code == 404


def test_names_of_this_machine():
    assert [name_of(host) for host in ("a.b:80", "[::1]:80", "", "[", "a:b:c")] == ["a.b", "::1", "", "", "a"]
    assert [loopback(name) for name in ("127.0.0.1", "::1", "LocalHost.", "0.0.0.0", "10.0.0.1", "", "x")] == [
        True, True, True, False, False, False, False,
    ]  # fmt: skip
