"""Where the server listens, and with what token."""

import socket

import pytest

from partreid.errors import UserError
from partreid.serving import listening


def test_beyond_this_machine_there_is_always_a_token(monkeypatch):
    monkeypatch.delenv(listening.TOKEN, raising=False)
    assert listening.token_for("127.0.0.1") is None
    assert listening.token_for("localhost") is None
    for host in ("0.0.0.0", "::", "192.168.1.7", "pc.local"):
        made = [listening.token_for(host) for _ in range(2)]
        assert len(set(made)) == 2
        assert all(len(each) >= 32 for each in made)
    monkeypatch.setenv(listening.TOKEN, "a-token-of-my-own")
    assert listening.token_for("0.0.0.0") == listening.token_for("127.0.0.1") == "a-token-of-my-own"
    monkeypatch.setenv(listening.TOKEN, "16-letters-of-it")
    assert listening.token_for("0.0.0.0") == "16-letters-of-it"


@pytest.mark.parametrize("token", ["", "short", "with a space in it", "mit-größeren-buchstaben"])
def test_a_poor_token_is_refused(monkeypatch, token):
    monkeypatch.setenv(listening.TOKEN, token)
    with pytest.raises(UserError, match="PARTREID_TOKEN must be 16 or more"):
        listening.token_for("0.0.0.0")


def test_a_port_that_is_taken_is_one_line():
    with listening.bound("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        assert listening.address(taken, None) == f"http://127.0.0.1:{port}/"
        assert listening.address(taken, "abc") == f"http://127.0.0.1:{port}/?token=abc"
        with pytest.raises(UserError, match=f"cannot listen on 127.0.0.1, port {port}"):
            listening.bound("127.0.0.1", port)
    with pytest.raises(UserError, match="port 70000"):
        listening.bound("127.0.0.1", 70_000)
    with pytest.raises(UserError, match=r"no\.such\.host\.invalid"):
        listening.bound("no.such.host.invalid", 0)
    with pytest.raises(UserError, match=r"cannot listen on 192\.\.168, port 0"):
        listening.bound("192..168", 0)


def test_what_listens_everywhere_is_opened_by_the_machines_name():
    with listening.bound("0.0.0.0", 0) as everywhere:
        assert listening.address(everywhere, "t").startswith(f"http://{socket.gethostname()}:")


def test_an_address_of_ipv6_stands_in_brackets():
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    with listening.bound("::1", 0) as own:
        assert listening.address(own, None) == f"http://[::1]:{own.getsockname()[1]}/"


def test_no_proxy_is_believed_and_nobody_is_told_what_answers():
    config = listening.server(lambda *_: None).config
    assert (config.proxy_headers, config.server_header, config.access_log) == (False, False, False)
