"""Ctrl-C while processes are at work."""

import os
import signal
import subprocess
import sys
import time

import pytest

# waits in the place that it is told, far longer than the test: as networks do that load, or look at many images
PROGRAM = """
import sys, time
from pathlib import Path
from partreid.errors import run
from partreid.storage.workers import spread

def wait(where):
    if sys.argv[1] == where:
        Path("waits").touch()
        time.sleep(60)

if __name__ != "__main__":
    wait("import")

if __name__ == "__main__":
    run(lambda: spread(wait, [("work",)] * 4, 2, print, "killed"))
"""


@pytest.mark.parametrize("where", ["import", "work"])
def test_ctrl_c_is_answered_at_once_by_one_line(tmp_path, where):
    (tmp_path / "slow.py").write_text(PROGRAM)
    process = subprocess.Popen(
        [sys.executable, "slow.py", where],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # tests in the background may ignore it
    )
    while not (tmp_path / "waits").exists():
        assert process.poll() is None
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the children too
    _, said = process.communicate(timeout=20)  # waits for whoever holds stderr: all children
    assert said == "interrupted; run the same command again to go on from here\n"
    assert process.returncode == 130
