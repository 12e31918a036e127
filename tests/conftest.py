"""Shared by all tests: what they read, in which order they run, and which of them are quick."""

import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import partreid  # noqa: F401  before any test imports torch: sets how its threads wait
from partreid import params
from pipeline.warm import warm

SECONDS = "partreid/seconds"  # in pytest's cache: how long each test took when it last ran
QUICK = 1.0  # seconds
LONG = ("pipeline", "checkpoints", "benchmarks", "pretraining", "test_ablation", "test_methods", "test_render")
"""Of what has not been timed here, the folders and files that take longer."""


def pytest_addoption(parser):
    parser.addoption("--quick", action="store_true", help="leave out what took longer than a second when it last ran")


def pytest_configure(config):
    config.seconds = {}


def pytest_runtest_logreport(report):
    if (seconds := getattr(pytest_runtest_logreport, "seconds", None)) is not None:
        seconds[report.nodeid] = seconds.get(report.nodeid, 0.0) + report.duration


def pytest_sessionstart(session):
    if not hasattr(session.config, "workerinput"):  # the process that hears of all tests
        pytest_runtest_logreport.seconds = session.config.seconds


def pytest_sessionfinish(session):
    if (new := session.config.seconds) and (cache := _cache(session.config)):
        cache.set(SECONDS, {**cache.get(SECONDS, {}), **new})


def pytest_collection_modifyitems(config, items):
    """The pipeline's tests, which take longest, first: then no worker is left alone with them at the end."""
    items.sort(key=lambda item: "pipeline" not in item.path.parts)
    if not config.getoption("--quick"):
        return
    cache = _cache(config)
    known = cache.get(SECONDS, {}) if cache else {}
    slow = [item for item in items if (known[item.nodeid] > QUICK if item.nodeid in known else _long(item))]
    config.hook.pytest_deselected(items=slow)
    items[:] = [item for item in items if item not in set(slow)]


def _cache(config):
    """Pytest's, None with `-p no:cacheprovider`."""
    return getattr(config, "cache", None)


def _long(item):
    return any(part.startswith(LONG) for part in item.path.parts)


@pytest.fixture
def project() -> Path:
    """The project's root folder."""
    return Path(__file__).parents[1]


@pytest.fixture(scope="session")
def programs(tmp_path_factory):
    """A folder with a `python` and a `dvc` that start at once."""
    with warm(tmp_path_factory.mktemp("programs")) as folder:
        yield folder


@pytest.fixture
def program(monkeypatch, capsys):
    """Runs a script as `python FILE WORDS...` does, but in this process: a new one would mostly import torch.

    The pipeline's tests start every stage as a process of its own.
    """

    def run(file: Path, *words: object) -> subprocess.CompletedProcess[str]:
        command = [str(file), *map(str, words)]
        monkeypatch.setattr(sys, "argv", command)
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(command[0], run_name="__main__")
        said = capsys.readouterr()
        return subprocess.CompletedProcess(command, int(ended.value.code or 0), said.out, said.err)

    return run


@pytest.fixture
def values(project: Path) -> dict[str, Any]:
    """What the project's params.yaml holds."""
    return params.read(project / "params.yaml")
