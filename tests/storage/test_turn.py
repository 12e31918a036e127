"""Two runs in one checkout: stages of one starter follow each other, those of a second are refused."""

import os
import re
import subprocess
import sys

import pytest

# what `dvc` does: starts one stage after the other, by a shell; here each waits until it is told to go on
STARTER = """
import os, subprocess, sys
for _ in sys.stdin:
    stage = subprocess.run(["/bin/sh", "-c", f"{sys.executable} stage.py; exit $?"], capture_output=True, text=True)
    print(stage.stderr.strip() or "done", flush=True)
"""
STAGE = """
import os, subprocess, sys
from partreid import params
from partreid.program import run
from partreid.storage import turn

def main():
    turn.taken(params.read())
    if sys.argv[1:] != ["again"]:  # as a training starts the same command in several processes
        subprocess.run([sys.executable, "stage.py", "again"], check=True)

run(main)
"""


@pytest.fixture
def starter(tmp_path, monkeypatch):
    """A function that starts another starter and gives what makes it run a stage, and what ends it."""
    (tmp_path / "starter.py").write_text(STARTER)
    (tmp_path / "stage.py").write_text(STAGE)
    (tmp_path / "params.yaml").write_text("model: bot\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_STAGE", "train@bot")
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    started = []

    def start(folder=tmp_path):
        command = [sys.executable, tmp_path / "starter.py"]
        run = subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        started.append(run)

        def stage():
            run.stdin.write("\n")
            run.stdin.flush()
            return run.stdout.readline().strip()

        def end():
            run.stdin.close()
            run.wait()

        return stage, end

    yield start
    for run in started:
        run.stdin.close()
        run.wait()
        run.stdout.close()


def test_stages_of_one_run_follow_each_other_and_a_second_run_is_refused_until_the_first_has_ended(starter):
    first, end = starter()
    second, _ = starter()
    assert [first(), first()] == ["done", "done"]
    said = second()
    assert said.startswith("error: another run is at work in this checkout (pid ")
    assert said.endswith("for several use the queue, docs/experiments.md")
    assert first() == "done"
    end()
    assert second() == "done"


def test_values_changed_beside_a_run_end_it_and_can_be_given_back(starter, tmp_path):
    first, _ = starter()
    second, _ = starter()
    assert first() == "done"
    (tmp_path / "params.yaml").write_text("model: bot # a comment changes no value\n")
    assert first() == "done"
    (tmp_path / "params.yaml").write_text("model: pcb\n")  # as `dvc exp run -S` writes it, before any stage
    copy = re.search(r"`cp (tmp/running-\d+.yaml) params.yaml` gives back", second())[1]
    assert first().startswith("error: params.yaml was changed while this run (pid ")
    (tmp_path / "params.yaml").write_bytes((tmp_path / copy).read_bytes())
    assert first() == "done"


def test_what_is_no_number_is_for_the_check_to_name(starter, tmp_path):
    first, _ = starter()
    (tmp_path / "params.yaml").write_text("margin: .nan\nrate: .inf\n")
    assert [first(), first()] == ["done", "done"]
    (tmp_path / "params.yaml").write_text("margin: .nan\nrate: -.inf\n")
    assert first().startswith("error: params.yaml was changed while this run (pid ")


def test_what_a_run_began_with_outlives_it_and_the_next_one(starter, tmp_path):
    first, end = starter()
    assert first() == "done"
    (tmp_path / "params.yaml").write_text("model: pcb\n")
    copy = re.search(r"`cp (\S+) params.yaml` gives back", first())[1]
    end()
    second, _ = starter()
    assert second() == "done"  # it takes the checkout with its own values
    assert "bot" in (tmp_path / copy).read_text()


def test_old_copies_go(starter, tmp_path):
    (tmp_path / "tmp").mkdir()
    for number in range(1, 13):
        path = tmp_path / f"tmp/running-{number}.yaml"
        path.touch()
        os.utime(path, (number, number))
    first, _ = starter()
    assert first() == "done"
    left = sorted(int(path.stem.split("-")[1]) for path in (tmp_path / "tmp").glob("running-*.yaml"))
    assert left[:8] == [5, 6, 7, 8, 9, 10, 11, 12]
    assert len(left) == 9


def test_a_queued_run_has_a_folder_of_its_own(starter, tmp_path):
    first, _ = starter()
    assert first() == "done"
    own = tmp_path / "elsewhere"
    own.mkdir()
    for name in ("stage.py", "params.yaml"):
        (own / name).write_bytes((tmp_path / name).read_bytes())
    queued, _ = starter(own)
    assert queued() == "done"


def test_a_stage_that_no_dvc_started_waits_for_nobody(starter, monkeypatch):
    first, _ = starter()
    assert first() == "done"
    monkeypatch.delenv("DVC_STAGE")
    by_hand, _ = starter()
    assert by_hand() == "done"
