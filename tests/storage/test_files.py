import os
import subprocess
import sys

import pytest

from partreid.storage.files import whole


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
