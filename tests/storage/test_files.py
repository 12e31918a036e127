import errno
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path

import pytest

from partreid.errors import UserError
from partreid.storage.files import alone, whole, writable, write_bytes, write_json


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


def test_what_cannot_be_written_is_named_by_the_file_that_was_asked_for(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "away").symlink_to("/nowhere/at/all")
    for path, why in (
        (tmp_path / "folder", "Is a directory"),
        (tmp_path / "file" / "out", "Not a directory"),
        (tmp_path / "file" / "and" / "out", "Not a directory"),
        (tmp_path / f"{'a' * 300}.npz", "File name too long"),
        (Path("/proc/out"), "No such file or directory"),
    ):
        with pytest.raises(UserError, match=re.escape(f"{path} cannot be written ({why}), so nothing was begun")):
            writable(path)
        with pytest.raises(OSError, match="cannot be written") as caught:
            write_bytes(path, b"1")
        assert isinstance(caught.value, UserError)
        assert str(pickle.loads(pickle.dumps(caught.value))) == f"{path} cannot be written ({why})"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["away", "file", "folder"]


def test_a_full_disk_names_the_file_and_other_files_errors_are_their_own(tmp_path):
    with pytest.raises(UserError, match=r"out cannot be written \(No space left on device\)"), whole(tmp_path / "out"):
        raise OSError(errno.ENOSPC, "whatever a library says")
    with pytest.raises(FileNotFoundError) as caught, whole(tmp_path / "out"):
        (tmp_path / "image.jpg").read_bytes()
    assert not isinstance(caught.value, UserError)
    with pytest.raises(ConnectionResetError), whole(tmp_path / "out"):
        raise ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")
    assert list(tmp_path.iterdir()) == []


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
