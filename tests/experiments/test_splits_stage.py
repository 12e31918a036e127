"""stages/splits.py, without the queue."""

import runpy
import sys

import numpy as np
import pytest
import yaml

from partreid import params
from partreid.datasets import SPLITS, cuhk01
from partreid.errors import UserError


@pytest.fixture
def stage(project):
    return runpy.run_path(str(project / "stages/splits.py"))


@pytest.fixture
def here(project, tmp_path, monkeypatch):
    """A folder with the project's values, which list two sets with splits, and the papers' numbers."""
    values = params.read(project / "params.yaml")
    values["raw"] |= {"cuhk01_100": "/x", "cuhk03_classic_detected": "/y"}
    values["datasets"] += ["cuhk01_100", "cuhk03_classic_detected"]
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))
    (tmp_path / "published.yaml").write_text((project / "published.yaml").read_text())
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def asked(stage, monkeypatch):
    """What was put into the queue. The run on split s has a rank-1 of s per cent; that on split 3 failed."""
    experiments = []

    def complete(runs, *_, **__):
        experiments.extend(runs)
        one = {"rank1": 0.0, "rank5": 0.5, "rank10": 0.5, "rank20": 0.5, "mAP": 0.25}
        return [
            None if (split := run.wanted["split"]) == 3 else {"classic": {**one, "rank1": split / 100}} for run in runs
        ]

    monkeypatch.setattr(stage["queue"], "complete", complete)
    return experiments


def call(stage, monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["splits.py", *words])
    stage["main"]()


def test_every_split_is_a_training_and_the_mean_stands_beside_the_papers(stage, here, asked, monkeypatch):
    with pytest.raises(UserError):  # as one of them failed
        call(stage, monkeypatch, "--dataset", "cuhk03_classic_detected", "--model", "pabr")
    assert [run.wanted["split"] for run in asked] == list(range(20))
    assert {run.wanted["model"] for run in asked} == {"pabr"}
    text = (here / "results/splits/cuhk03_classic_detected-pabr.md").read_text()
    there = [split for split in range(20) if split != 3]
    assert f"| classic (19 of 20 trainings) | {np.mean(there):.1f} ± {np.std(there, ddof=1):.1f} | 50.0" in text
    assert "table 4, Proposed, classic | 88.0 | 97.6" in text


def test_some_splits_of_several_seeds(stage, here, asked, monkeypatch):  # noqa: ARG001
    words = ("--dataset", "cuhk01_100", "--model", "bot", "--splits", "2", "0", "--seeds", "1", "2")
    call(stage, monkeypatch, *words)
    assert [(run.wanted["train"]["seed"], run.wanted["split"]) for run in asked] == [(1, 2), (1, 0), (2, 2), (2, 0)]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--dataset", "cuhk01_100", "--splits", "10"], "cuhk01_100 has 10 splits, 0 to 9; there is no split 10"),
        (["--dataset", "synthetic"], "unknown data set with random splits"),
        (["--dataset", "cuhk01_100", "--model", "bott"], "unknown model 'bott'"),
    ],
)
def test_what_has_no_such_split_is_named(stage, here, asked, monkeypatch, words, message):  # noqa: ARG001
    with pytest.raises(UserError, match=message):
        call(stage, monkeypatch, *words)
    assert not asked


def test_the_counts_are_the_readers():
    assert SPLITS["cuhk01_100"] == SPLITS["cuhk01_486"] == cuhk01.SPLITS
