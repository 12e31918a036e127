"""Ctrl-C and kills while processes are at work."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

# waits in the place that it is told, far longer than the test: as networks do that load, or look at many images
PROGRAM = """
import sys, time
from pathlib import Path
from partreid.program import run
from partreid.storage.workers import spread

def wait(where):
    if sys.argv[1] == where:
        Path("waits").touch()
        time.sleep(600)

if __name__ != "__main__":
    wait("import")

if __name__ == "__main__":
    run(lambda: spread(wait, [("work",)] * 4, 2, print, "killed"))
"""


def start(folder, where):
    """PROGRAM at work, when it waits."""
    (folder / "slow.py").write_text(PROGRAM)
    process = subprocess.Popen(
        [sys.executable, "slow.py", where],
        cwd=folder,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # tests in the background may ignore it
    )
    while not (folder / "waits").exists():
        assert process.poll() is None
        time.sleep(0.01)
    return process


@pytest.mark.parametrize("where", ["import", "work"])
@pytest.mark.parametrize("by_dvc", [False, True])
def test_ctrl_c_is_answered_at_once_by_one_line(tmp_path, monkeypatch, where, by_dvc):
    monkeypatch.delenv("DVC_STAGE", raising=False)
    if by_dvc:
        monkeypatch.setenv("DVC_STAGE", "tool@truth-synthetic")
    process = start(tmp_path, where)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the children too
    _, said = process.communicate(timeout=60)  # waits for whoever holds stderr: all children
    wait = "when dvc has ended too, " if by_dvc else ""
    assert said == f"interrupted; {wait}run the same command again to go on from here\n"
    assert process.returncode == 130


def test_a_kill_ends_the_workers_too_and_leaves_no_warning_of_semaphores(tmp_path):
    process = start(tmp_path, "work")
    children = psutil.Process(process.pid).children()
    process.kill()
    _, said = process.communicate(timeout=60)  # waits for whoever holds stderr: all children
    assert said == ""
    assert len(children) >= 3  # two workers and the tracker of semaphores
    assert psutil.wait_procs(children, timeout=60)[1] == []
