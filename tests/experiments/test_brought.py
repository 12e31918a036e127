"""Bringing a run back, by what DVC says. tests/pipeline/test_experiments_queue.py has the real one."""

import subprocess
from types import SimpleNamespace

import pytest

from partreid.errors import UserError
from partreid.experiments import brought
from partreid.experiments.kept import Line

RUN = Line("calm-dove", "2026-11-26T10:00", {}, {"photos": {"mAP": 0.5}})
WARNING = "WARNING: No file hash info found for '{}'. It won't be created.\n"
ERROR = "ERROR: Checkout failed for following targets:\n{}\nIs your cache up to date?\n<https://error.dvc.org/missing-files>\n"


@pytest.fixture
def says(monkeypatch, tmp_path):
    """A function: what dvc is to say on stderr, and its exit status; the commands that were run."""
    monkeypatch.chdir(tmp_path)
    asked = []

    def saying(text, status):
        def run(command, **_):
            asked.append(command[3:])
            return SimpleNamespace(returncode=status, stdout="", stderr=text)

        monkeypatch.setattr(subprocess, "run", run)
        return asked

    return saying


def test_what_nobody_ever_made_is_no_error(says, tmp_path):
    text = WARNING.format(tmp_path / "data/a.npz") + WARNING.format(tmp_path / "runs/b")
    asked = says(text + ERROR.format("data/a.npz\nruns/b"), 255)
    brought.bring(RUN)
    assert asked == [["exp", "apply", "calm-dove"]]


def test_what_the_cache_has_lost_is_named(says, tmp_path):
    says(WARNING.format(tmp_path / "data/a.npz") + ERROR.format("data/a.npz\nruns/b/weights.safetensors"), 255)
    with pytest.raises(UserError, match=r"but for what the cache has no more: runs/b/weights\.safetensors; `dvc pull"):
        brought.bring(RUN)


def test_what_dvc_refuses_is_said(says):
    says("ERROR: Unable to acquire lock", 255)
    with pytest.raises(UserError, match="`dvc exp apply calm-dove` failed: ERROR: Unable to acquire lock"):
        brought.bring(RUN)


def test_what_has_no_results_is_not_brought(says):
    asked = says("", 0)
    with pytest.raises(UserError, match="has nothing to bring: it is failed; `dvc queue logs calm-dove`"):
        brought.bring(Line("calm-dove", "", {}, None, "failed"))
    with pytest.raises(UserError, match="kept/first is a folder with all that was kept"):
        brought.bring(Line("kept/first", "", {}, None))
    assert not asked
