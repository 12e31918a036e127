"""The benchmark of all methods, on one tiny batch and a data set of eight images."""

import json
import runpy
import sys

import cv2
import numpy as np
import pytest
import yaml

from partreid import compare, params, records
from partreid.labels.pieces import Program


@pytest.fixture
def speed(project):
    return runpy.run_path(str(project / "benchmarks/speed.py"))


@pytest.fixture
def here(project, tmp_path, monkeypatch):
    """A folder with the project's params.yaml and a table of images; pifpaf's tool is one that needs no network."""
    values = yaml.safe_load((project / "params.yaml").read_text())
    values["recipes"]["laptop"] |= {"height": 64, "width": 32}
    values["train"]["device"] = "cpu"
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))
    monkeypatch.chdir(tmp_path)
    rows = []
    (tmp_path / "data/synthetic").mkdir(parents=True)
    for number in range(8):
        cv2.imwrite(f"data/synthetic/{number}.png", np.full((40, 20, 3), 30 * number, np.uint8))
        rows.append(
            {"path": f"{number}.png", "split": "train", "pid": number // 2, "width": 20, "height": 40, "sha1": ""}
        )
    records.write(records.build(rows, {}), tmp_path / "data/index/synthetic.parquet")
    return tmp_path


def test_it_writes_what_the_leaderboard_reads(speed, here, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["speed.py", "--models", "pcb", "bot", "--batch", "8", "--rounds", "1"])
    speed["main"]()
    out = capsys.readouterr().out
    assert "| bot |" in out
    assert "recipe laptop, batch 8, best of 1 rounds" in out
    content = json.loads((here / "results/compare/synthetic/speed.json").read_text())
    costs = compare.still_true(content, params.load(), ["bot", "pcb"])
    assert costs["bot"].numbers == 1280
    assert costs["pcb"].numbers == 6 * 128
    assert all(cost.train > 0 and cost.test > 0 for cost in costs.values())
    assert costs["bot"].label == 0
    assert costs["bot"].labels == []


@pytest.mark.usefixtures("here")
def test_labels_cost_their_tools_and_their_stages(speed, monkeypatch):
    seen = []
    monkeypatch.setitem(speed["labels"].__globals__, "each", lambda work, images: seen.append((work, images)) or 0.5)
    monkeypatch.setitem(
        speed["TOOLS"],
        "blazepose",
        type("Tool", (), {"build": lambda *_, **options: ({}, f"looks {options['looks']}")}),
    )
    monkeypatch.setattr(speed["native"], "build", lambda name, tool, *_: ({}, f"{name} from {tool}"))
    p = params.load()
    assert speed["labels"](p, "synthetic", [], 4) == {}
    found = speed["labels"](p, "synthetic", ["schp", "poses"], 4)
    assert found == {"tool blazepose": 0.5, "label poses": 0.5, "label schp": 0.5}  # the tool once
    assert seen == [("looks 3", 4), ("poses from blazepose", 4), ("schp from blazepose", 4)]


@pytest.mark.usefixtures("here")
def test_a_label_may_have_two_tools(speed):
    p = params.load()
    p.labels["schp"].options["person"] = "densepose"
    assert list(speed["sources"](p, ["schp"])) == ["tool blazepose", "tool densepose", "label schp"]


def test_work_is_timed_warm_and_programs_are_not(speed):
    calls = []
    assert 0 < speed["each"](lambda start, stop: calls.append((start, stop)) or {}, 10) < 0.1
    assert calls == [(0, 4), (0, 10)]
    assert speed["each"](Program(("tool",)), 10) is None
    assert speed["total"]([0.1, None]) is None
    assert speed["total"]([0.1, 0.2]) == pytest.approx(0.3)
    assert speed["total"]([]) == 0
