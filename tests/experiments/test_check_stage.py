"""stages/check.py: what it says of a value that -S wrote, and how soon."""

import shutil
import subprocess
import sys

import pytest


@pytest.fixture
def check(project, tmp_path):
    """A function that changes a committed params.yaml and runs the script there: its words, with or without torch."""
    shutil.copy(project / "params.yaml", tmp_path)
    for command in (["init", "-q"], ["add", "."], ["-c", "user.name=t", "-c", "user.email=t@l", "commit", "-qm", "1"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)

    def run(old, new):
        file = tmp_path / "params.yaml"
        text = file.read_text()
        assert text.count(old) == 1
        file.write_text(text.replace(old, new))
        command = [sys.executable, "-X", "importtime", project / "stages/check.py", "out"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        lines = [line for line in done.stderr.splitlines() if not line.startswith("import time:")]
        return done.returncode, "\n".join(lines), "| torch\n" in done.stderr.replace("|   ", "| ")

    return run


def test_a_rejected_value_is_said_with_the_way_back_and_before_torch_is_loaded(check):
    code, said, torch = check("\nmodel: bpbreid ", "\nmodel: bott ")
    assert code == 1
    assert said.startswith("error: unknown model 'bott'; known: bot, ")
    assert said.endswith("Since the last commit: model=bott. Back to that: git show HEAD:params.yaml > params.yaml")
    assert not torch


def test_a_key_that_a_plus_added_is_said_with_the_way_back(check):
    code, said, _ = check("\n  seed: 1\n  device", "\n  seed: 1\n  sed: 2\n  device")
    assert code == 1
    assert "unknown key train.sed" in said
    assert "+train.sed=2" in said


def test_an_empty_path_is_said_with_the_words_that_fill_it(check):
    code, said, _ = check("\ndataset: synthetic ", "\ndataset: prcc ")
    assert code == 1
    assert "raw.prcc is empty in params.yaml; say where the data lies: -S raw.prcc=/path" in said


def test_going_back_is_not_advised_where_it_would_lose_a_new_block(check):
    new = "\nmethods:\n  bob: {margin: 0.3, smoothing: 0.1, a: 1, b: 2, c: 3, d: 4, e: 5}\n"
    code, said, _ = check("\nmethods:", new)
    assert code == 1
    assert "Since the last commit: no other value; and new: methods.bob. Mend it by hand" in said
    assert "more" not in said
    assert "git show" not in said
