"""stages/serve.py without a gallery: the labels of the folder where it is started."""

import re
import runpy
from pathlib import Path

from starlette.testclient import TestClient

import labelled_project
from partreid.serving import listening

PROJECT = Path(__file__).parents[2]


def test_the_labels_of_the_folder_are_served_without_weights(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PARTREID_TOKEN", raising=False)
    labelled_project.project(tmp_path)
    served = []
    monkeypatch.setattr(listening, "serve", lambda app, _socket: served.append(app))
    monkeypatch.setattr("sys.argv", ["stages/serve.py", "--port", "0"])
    runpy.run_path(str(PROJECT / "stages/serve.py"))["main"]()
    assert re.fullmatch(r"open http://127\.0\.0\.1:\d+/ {2}\(Ctrl-C ends\)\n", capsys.readouterr().out)
    client = TestClient(served[0], base_url="http://localhost")
    home = client.get("/")
    assert home.url.path == "/labels/"
    assert "Labels" in home.text
    assert list(client.get("/labels/catalogue").json()["datasets"]) == ["synthetic"]
    assert client.get("/search/").status_code == 404
