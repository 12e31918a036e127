"""A method added as the README says walks the whole way: check, train, embed, evaluate, report, costs, leaderboard."""

import runpy
import shutil
import sys
from pathlib import Path

import cv2
import pytest
import yaml

import coloured_persons
from partreid import methods
from partreid.experiments import check
from partreid.methods.bot import BagOfTricks
from partreid.params import load
from partreid.report import figures, leaderboard_pictures, pipeline

ROOT = Path(__file__).parents[1]


class Eighth(BagOfTricks):
    """An eighth method: the baseline by another name."""


Eighth.__module__ = BagOfTricks.__module__  # as if it stood in a file of the package


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A project with the method registered, its blocks in params.yaml and its line in stages/dvc.yaml."""
    values = coloured_persons.project(tmp_path, 8, training=4)
    values["model"] = "eighth"
    values["methods"]["eighth"] = values["methods"]["bot"]
    values["at_test"]["eighth"] = values["at_test"].get("bot", {})
    for recipe in values["recipes"].values():
        if "bot" in recipe:
            recipe["eighth"] = recipe["bot"]
    small = {"height": 32, "width": 16, "epochs": 2, "warmup_epochs": 1, "ids_per_batch": 2, "images_per_id": 2}
    values["recipes"]["laptop"] |= {**small, "batches_per_epoch": 2, "decay_at": []}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))
    for name in (*pipeline.FILES, "published.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    stages = tmp_path / "stages/dvc.yaml"
    text = stages.read_text()
    line = "      eighth: &eighth {<<: *bot, name: eighth}\n  - pretraining_learns:"
    assert text.count("  - pretraining_learns:") == 1
    stages.write_text(text.replace("  - pretraining_learns:", line))
    monkeypatch.setitem(methods.METHODS, "eighth", Eighth)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _run(monkeypatch, script, *words):
    monkeypatch.setattr(sys, "argv", [script, *words])
    stage = runpy.run_path(str(ROOT / script))
    stage["main"]()
    return stage


def test_it_walks_from_the_check_to_the_leaderboard(here, monkeypatch):
    check.names(load())
    _run(monkeypatch, "stages/source.py", "data/source")
    assert (here / "data/source/train-eighth.json").is_file()
    _run(monkeypatch, "stages/train.py", "eighth", "folder")
    _run(monkeypatch, "stages/embed.py", "eighth", "folder")
    _run(monkeypatch, "stages/evaluate.py")
    _run(monkeypatch, "stages/report.py")
    report = (here / "results/folder/eighth/report.html").read_text()
    assert "train@eighth" in report  # the drawing of its pipeline
    assert cv2.imread(str(here / "results/folder/eighth/ranking.png")) is not None

    both = ("bot", "eighth")
    _run(monkeypatch, "benchmarks/speed.py", "--models", *both, "--batch", "8", "--rounds", "1")
    monkeypatch.setattr("partreid.experiments.queue.complete", lambda runs, *_, **__: [METRICS] * len(runs))
    monkeypatch.setattr("partreid.experiments.queue.trainings", lambda runs: [None] * len(runs))
    _run(monkeypatch, "stages/compare.py", "--models", *both, "--seeds", "1")
    folder = here / "results/compare/folder"
    assert "| eighth |" in (folder / "leaderboard.md").read_text()
    for name in ("accuracy.png", "cost.png"):
        assert cv2.imread(str(folder / name)) is not None


METRICS = {"photos": {"mAP": 0.2, "rank1": 0.3, "mINP": 0.1}}


def test_tables_by_method_name_only_methods_that_there_are():
    assert set(leaderboard_pictures.LOOKS) <= set(methods.METHODS)
    assert set(figures.FIGURES) <= set(methods.METHODS)
