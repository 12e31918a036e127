import os
import re
import subprocess
import sys

import pytest

from partreid.errors import UserError
from partreid.storage.files import alone, whole, write_json


def test_what_a_killed_process_left_is_removed_by_the_next_one_that_writes_the_file(tmp_path):
    code = (
        "import os; from pathlib import Path; from partreid.storage.files import whole\n"
        f"with whole(Path({str(tmp_path / 'out')!r})) as file:\n"
        "    file.write_text('half')\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=False)
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".out.")
    mine = tmp_path / f".out.{os.getppid()}.part"  # of a process that is at work
    mine.touch()
    with whole(tmp_path / "out") as file:
        file.write_text("whole")
    assert sorted(tmp_path.iterdir()) == sorted([mine, tmp_path / "out"])


def test_nothing_is_left_where_the_writing_fails(tmp_path):
    def fail(file):
        file.write_text("half")
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"), whole(tmp_path / "out") as temporary:
        fail(temporary)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match="no"), whole(tmp_path / "new/and/newer/out") as temporary:
        fail(temporary)
    assert list(tmp_path.iterdir()) == []
    with whole(tmp_path / "new/out") as temporary:
        temporary.touch()
    with pytest.raises(ValueError, match="no"), whole(tmp_path / "new/newer/out") as temporary:
        fail(temporary)
    assert [path.name for path in tmp_path.rglob("*")] == ["new", "out"]


def test_a_number_that_json_lacks_is_one_message(tmp_path):
    with pytest.raises(UserError, match=r"metrics\.json is not written: a number for it is infinite or NaN"):
        write_json(tmp_path / "metrics.json", {"train": {"loss": float("inf")}})
    assert list(tmp_path.iterdir()) == []


def test_who_is_at_work_in_a_folder_is_named_and_nobody_once_it_has_ended(tmp_path, monkeypatch):
    code = (
        "from pathlib import Path; from partreid.storage.files import alone\n"
        f"with alone(Path({str(tmp_path)!r})):\n"
        "    print('in', flush=True); input()\n"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code], text=True, **pipes) as other:
        assert other.stdout.readline() == "in\n"
        for _ in range(2):  # who asks leaves the note as it is
            with pytest.raises(UserError, match=rf"at work in {tmp_path} \(pid {other.pid}\); wait"), alone(tmp_path):
                pass
        other.kill()
    with alone(tmp_path), monkeypatch.context() as patch:
        patch.setattr("fcntl.flock", lambda *_: os.close(-1))  # as a disk that has no locks fails
        with pytest.raises(OSError, match=re.escape(str(tmp_path))), alone(tmp_path):
            pass
        assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"
