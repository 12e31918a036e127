"""The benchmark of all methods, on one tiny batch and a data set of eight images."""

import json
import runpy
import sys
import time
from collections import defaultdict
from dataclasses import replace

import cv2
import numpy as np
import pytest
import yaml

from partreid import backbones, params
from partreid.errors import UserError
from partreid.experiments import speed_file
from partreid.storage import image_table
from partreid.storage.pieces import Program


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
    image_table.write(image_table.build(rows, {}), tmp_path / "data/index/synthetic.parquet")
    return tmp_path


def test_it_writes_what_the_leaderboard_reads(speed, here, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["speed.py", "--models", "pcb", "bot", "pcb", "--batch", "8", "--rounds", "1"])
    speed["main"]()
    out = capsys.readouterr().out
    assert "| bot |" in out
    assert out.count("| pcb |") == 1
    assert "recipe laptop, batch 8, best of 1 rounds" in out
    content = json.loads((here / "results/compare/synthetic/speed.json").read_text())
    assert content["revision"]
    costs, _ = speed_file.recorded(here / "results/compare/synthetic/speed.json", params.load(), ["bot", "pcb"])
    (recipe, _), (_, strips) = (params.load().recipe_of(name) for name in ("bot", "pcb"))
    assert costs["bot"].numbers == backbones.build(recipe.backbone).channels
    assert costs["pcb"].numbers == strips["parts"] * strips["embedding"]
    assert all(cost.train > 0 and cost.test > 0 for cost in costs.values())
    assert costs["bot"].label == 0
    assert costs["bot"].labels == []


def test_as_many_clusters_as_the_label_has(speed, here, monkeypatch):
    values = yaml.safe_load((here / "params.yaml").read_text())
    values["labels"]["poses"]["clusters"] = values["methods"]["fsam"]["branches"] = 5
    values["at_test"]["fsam"]["stream"] = "shape"
    (here / "params.yaml").write_text(yaml.safe_dump(values))
    monkeypatch.setitem(speed["main"].__globals__, "labels", lambda *_: defaultdict(float))
    monkeypatch.setattr(sys, "argv", ["speed.py", "--models", "fsam", "--batch", "8", "--rounds", "1"])
    speed["main"]()
    costs, _ = speed_file.recorded(here / "results/compare/synthetic/speed.json", params.load(), ["fsam"])
    assert costs["fsam"].numbers > 0


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(("option", "number"), [("--batch", "7"), ("--rounds", "0"), ("--images", "0")])
def test_numbers_that_cannot_be(speed, monkeypatch, capsys, option, number):
    monkeypatch.setattr(sys, "argv", ["speed.py", option, number])
    with pytest.raises(SystemExit):
        speed["main"]()
    assert f"argument {option}: must be" in capsys.readouterr().err


def test_the_values_are_checked_first(speed, here, monkeypatch):
    values = yaml.safe_load((here / "params.yaml").read_text())
    values["methods"]["bot"]["margn"] = 1
    (here / "params.yaml").write_text(yaml.safe_dump(values))
    monkeypatch.setattr(sys, "argv", ["speed.py"])
    with pytest.raises(UserError, match=r"unknown key methods\.bot\.margn"):
        speed["main"]()
    monkeypatch.setattr(sys, "argv", ["speed.py", "--dataset", "nothing"])
    with pytest.raises(UserError, match="unknown data set 'nothing'"):
        speed["main"]()


@pytest.fixture
def look(speed, monkeypatch):
    """Tools and labels that do nothing but say what they look at; a label's `build` takes a fifth of a second."""
    seen = []

    def works(what, waits=0.0):
        time.sleep(waits)
        return {}, lambda start, stop: seen.append((what, start, stop)) or {}

    def tool(name):
        return type("Tool", (), {"build": lambda *_, **options: works(f"{name} {options.get('looks')}")})

    for name in speed["TOOLS"]:
        monkeypatch.setitem(speed["TOOLS"], name, tool(name))
    monkeypatch.setattr(speed["native"], "build", lambda name, tool, *_: works(f"{name} from {tool}", 0.2))
    return seen


@pytest.mark.usefixtures("here")
def test_labels_cost_their_tools_and_their_stages(speed, look):
    p = params.load()
    assert speed["labels"](p, "synthetic", [], 4) == {}
    found = speed["labels"](p, "synthetic", ["schp", "poses"], 8)
    assert list(found) == ["tool blazepose", "label poses", "label schp"]  # the tool once
    assert [each for each in look if each[2] == 8] == [
        (f"blazepose {p.tools['blazepose']['looks']}", 0, 8),
        ("poses from blazepose", 0, 8),
        ("schp from blazepose", 0, 8),
    ]
    assert 0 < found["tool blazepose"] < 0.02
    assert 0.2 / 8 <= found["label poses"] < 0.05  # with its part of what is done once


@pytest.mark.usefixtures("here")
def test_what_is_imported_or_run_elsewhere_is_not_timed_nor_built(speed, look):
    p = params.load()
    for tool in ("alphapose", "openpifpaf_files", "densepose_files", "schp_files", "openpose_files"):
        p = replace(p, labels={"pifpaf": replace(p.labels["pifpaf"], tool=tool)})
        found = speed["labels"](p, "synthetic", ["pifpaf"], 4)
        assert found[f"tool {tool}"] is None
        assert found["label pifpaf"] > 0
    assert {what.split()[0] for what, *_ in look} == {"pifpaf"}


@pytest.mark.usefixtures("here")
def test_a_label_may_have_two_tools(speed):
    p = params.load()
    p.labels["schp"].options["person"] = "densepose"
    assert list(speed["sources"](p, ["schp"])) == ["tool blazepose", "tool densepose", "label schp"]


@pytest.mark.usefixtures("here")
def test_work_is_timed_warm_and_programs_are_not(speed, monkeypatch):
    calls = []
    assert 0 < speed["each"](lambda start, stop: calls.append((start, stop)) or {}, 10) < 0.1
    assert calls == [(0, 4), (0, 10)]
    program = type("Tool", (), {"build": lambda *_, **__: ({}, Program(("tool",)))})
    monkeypatch.setitem(speed["TOOLS"], "openpifpaf", program)
    assert speed["of_tool"](params.load(), "openpifpaf", None, 10) is None
    assert speed["total"]([0.1, None]) is None
    assert speed["total"]([0.1, 0.2]) == pytest.approx(0.3)
    assert speed["total"]([]) == 0
