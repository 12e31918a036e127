"""stages/compare.py, without the queue and without a benchmark."""

import html
import runpy
import shlex
import sys

import pytest
import yaml

from partreid.errors import UserError
from partreid.experiments import speed_file
from partreid.experiments.leaderboard import Board, Entry
from partreid.experiments.speed_file import Cost

METRICS = {"general": {"mAP": 0.2, "rank1": 0.3, "mINP": 0.1}}


@pytest.fixture
def stage(project):
    return runpy.run_path(str(project / "stages/compare.py"))


@pytest.fixture
def here(project, tmp_path, monkeypatch):
    """A folder with the project's values and the papers' numbers."""
    for name in ("params.yaml", "published.yaml"):
        (tmp_path / name).write_text((project / name).read_text())
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def queued(stage, monkeypatch):
    """Names of what was asked for; all of it is done, and costs cannot be measured."""
    asked = []

    def complete(experiments, *_, **__):
        asked.extend(each.name for each in experiments)
        return [METRICS] * len(experiments)

    def broken(*_):
        raise UserError("no costs")

    monkeypatch.setattr(stage["queue"], "complete", complete)
    told = {"images": 64, "steps": 1, "cross_entropy": 2.5, "chance": 4.16}
    monkeypatch.setattr(stage["queue"], "trainings", lambda experiments: [told, *[None] * (len(experiments) - 1)])
    monkeypatch.setitem(stage["main"].__globals__, "speeds", broken)
    return asked


def call(stage, monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["compare.py", *words])
    stage["main"]()


def test_without_costs_there_is_a_leaderboard_and_then_the_error(stage, here, queued, monkeypatch, capsys):
    with pytest.raises(UserError, match="no costs"):
        call(stage, monkeypatch, "--models", "bot", "pcb", "bot", "--seeds", "1", "1", "2")
    assert queued == [f"compare-{model}-synthetic-s{seed}" for seed in (1, 2) for model in ("bot", "pcb")]
    text = (here / "results/compare/synthetic/leaderboard.md").read_text()
    assert text.count("| pcb | **20.0 ± 0.0** |") == 1
    assert "seeds 1, 2," in text
    assert "| bot | 64 | 1 | 2.50 | 4.16 |" in text
    assert "## Cost" not in text
    said = capsys.readouterr()
    assert "error: no costs" in said.err
    assert said.out.endswith("/leaderboard.md, .csv, .html, accuracy.png\n")


def test_what_was_changed_for_it_stands_above_the_leaderboard(stage, here, queued, monkeypatch):
    words = ("-S", "recipes.laptop.epochs=2", "-S", "recipes.laptop.warmup_epochs=1")
    with pytest.raises(UserError, match="no costs"):
        call(stage, monkeypatch, "--models", "bot", "--seeds", "1", *words)
    folder = here / "results/compare/synthetic"
    text = "recipe laptop with recipes.laptop.epochs=2 recipes.laptop.warmup_epochs=1, seeds 1,"
    assert text in (folder / "leaderboard.md").read_text()
    command = ["python", "stages/compare.py", "--models", "bot", "--seeds", "1", "--dataset", "synthetic", *words]
    assert shlex.join(command) in html.unescape((folder / "leaderboard.html").read_text())
    assert queued == ["compare-bot-synthetic-s1"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda values: values.pop("dataset"), "missing key dataset"),
        (lambda values: values["methods"]["bot"].update(margn=1), r"unknown key methods\.bot\.margn"),
    ],
)
def test_the_values_are_checked_first(stage, here, queued, monkeypatch, change, message):
    values = yaml.safe_load((here / "params.yaml").read_text())
    change(values)
    (here / "params.yaml").write_text(yaml.safe_dump(values))
    with pytest.raises(UserError, match=message):
        call(stage, monkeypatch)
    (here / "params.yaml").write_text("model: [")
    with pytest.raises(UserError, match="not valid YAML"):
        call(stage, monkeypatch, "--dataset", "synthetic")
    assert queued == []


def test_no_picture_of_an_earlier_board_stays(stage, tmp_path, capsys):
    cost = Cost(2, 3, 40.0, 160.0, 0.0, [], [])
    board = Board("d", "laptop", [1], "abc", [Entry("bot", [METRICS], cost)], [], "the CPU")
    stage["write"](board, [], tmp_path)
    assert {path.name for path in tmp_path.glob("*.png")} == {"accuracy.png", "cost.png"}
    assert capsys.readouterr().out.endswith(".html, accuracy.png, cost.png\n")
    stage["write"](Board("d", "laptop", [1], "abc", [Entry("bot", [], None)], [], ""), [], tmp_path)
    assert not list(tmp_path.glob("*.png"))
    assert capsys.readouterr().out.endswith(".html\n")


@pytest.mark.usefixtures("here")
def test_costs_are_measured_when_none_are_recorded(stage, monkeypatch):
    recorded = [None, ({}, "the CPU")]
    run = []
    monkeypatch.setattr(speed_file, "recorded", lambda *_: recorded.pop(0))
    monkeypatch.setattr(stage["dvc"], "repro", run.append)
    done = type("Done", (), {"returncode": 0})
    monkeypatch.setattr(stage["subprocess"], "run", lambda command, **_: run.append(command[1:]) or done)
    p = stage["params"].load()
    assert stage["costs_of"](p, ["bot"], {"a": [1, 2]}, ["index"]) == ({}, "the CPU", None)
    command = ["benchmarks/speed.py", "--models", "bot", "--dataset", "synthetic", "-S", "a=[1,2]"]
    assert run == [["index"], command]
    done.returncode, recorded[:] = 1, [None, ({}, "an old one")]
    assert isinstance(stage["costs_of"](p, ["bot"], {}, ["index"])[2], UserError)
