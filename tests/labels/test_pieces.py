import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from partreid import chunks
from partreid.errors import UserError
from partreid.labels import pieces

# a slow tool in its own program: each piece takes a while and notes that it was made
PROGRAM = """
import sys, time
from pathlib import Path
import numpy as np
from partreid.labels import pieces

def work(start, stop):
    time.sleep(0.05)
    with Path("made.txt").open("a") as log:
        log.write(f"{start}\\n")
    rows = np.arange(start, stop)
    return {"status": (rows % 3).astype(np.uint8), "value": np.sqrt(rows)[:, None] * np.arange(5)}

if __name__ == "__main__":
    pieces.write(Path(sys.argv[1]), {"tool": "slow"}, work, 1285, processes=2)
"""
PIECES = -(-1285 // pieces.PIECE)


def squares(start: int, stop: int) -> dict[str, np.ndarray]:
    rows = np.arange(start, stop)
    return {"status": np.where(rows % 10 == 0, 1, 0).astype(np.uint8), "value": rows**2}


def fails_late(start: int, stop: int) -> dict[str, np.ndarray]:
    if start >= 2 * pieces.PIECE:
        raise ValueError("boom")
    return squares(start, stop)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)


def test_every_image_is_done_once_and_counted(tmp_path):
    header = pieces.write(tmp_path / "out.npz", {"tool": "t"}, squares, 1100, processes=1)
    assert header == {"tool": "t", "images": 1100, "ok": 990, "missing": 110, "failed": 0}
    reader = chunks.Reader(tmp_path / "out.npz")
    assert reader.header == header
    assert reader.count("value") == 2
    np.testing.assert_array_equal(reader.all("value"), np.arange(1100) ** 2)
    assert not list((tmp_path / "tmp" / "pieces").iterdir())


def test_finished_pieces_survive_an_error_and_broken_ones_are_made_again(tmp_path):
    with pytest.raises(ValueError, match="boom"):
        pieces.write(tmp_path / "out.npz", {"tool": "t"}, fails_late, 300, processes=1)
    assert not (tmp_path / "out.npz").exists()
    (folder,) = (tmp_path / "tmp" / "pieces").iterdir()
    first, second = sorted(folder.glob("*.npz"))
    second.write_bytes(second.read_bytes()[:100])  # as after a power cut
    made = []

    def note(start, stop):
        made.append(start)
        return squares(start, stop)

    pieces.write(tmp_path / "out.npz", {"tool": "t"}, note, 300, processes=1)
    assert made == [64, 128, 192, 256]
    assert first.name == "000000000.npz"
    np.testing.assert_array_equal(chunks.Reader(tmp_path / "out.npz").all("value"), np.arange(300) ** 2)


def test_pieces_of_other_settings_are_not_used(tmp_path):
    with pytest.raises(ValueError, match="boom"):
        pieces.write(tmp_path / "out.npz", {"threshold": 0.5}, fails_late, 300, processes=1)
    made = []

    def note(start, stop):
        made.append(start)
        return squares(start, stop)

    pieces.write(tmp_path / "out.npz", {"threshold": 0.6}, note, 300, processes=1)
    assert made == [0, 64, 128, 192, 256]


def test_two_runs_at_the_same_work_are_refused(tmp_path):
    def again(start, stop):
        with pytest.raises(UserError, match="another run"):
            pieces.write(tmp_path / "out.npz", {"tool": "t"}, squares, 10, processes=1)
        return squares(start, stop)

    pieces.write(tmp_path / "out.npz", {"tool": "t"}, again, 10, processes=1)


def test_an_empty_table_is_an_error(tmp_path):
    with pytest.raises(UserError, match="no rows"):
        pieces.write(tmp_path / "out.npz", {}, squares, 0)


def start(folder: Path) -> subprocess.Popen:
    (folder / "slow.py").write_text(PROGRAM)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(
        [sys.executable, "slow.py", "out.npz"], cwd=folder, env=environment, stderr=subprocess.DEVNULL
    )


def workers_of(process: subprocess.Popen) -> list[int]:
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(process.pid)], capture_output=True, text=True, check=False
    )
    return [int(pid) for pid in listed.stdout.split()]


def alive(pid: int) -> bool:
    try:
        return "(zombie)" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks at processes through /proc")
def test_killed_at_any_point_it_resumes_to_the_same_bytes(tmp_path):
    calm, rough = tmp_path / "calm", tmp_path / "rough"
    calm.mkdir()
    rough.mkdir()
    assert start(calm).wait() == 0
    for enough in (1, PIECES // 2, PIECES - 2):  # pieces there at the kill
        process = start(rough)
        while process.poll() is None and len(list(rough.glob("tmp/pieces/*/0*.npz"))) < enough:
            time.sleep(0.005)
        workers = workers_of(process)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        assert not (rough / "out.npz").exists()
        deadline = time.monotonic() + 10
        while any(map(alive, workers)):
            assert time.monotonic() < deadline, "workers outlive their killed parent"
            time.sleep(0.01)
    assert start(rough).wait() == 0
    assert (rough / "out.npz").read_bytes() == (calm / "out.npz").read_bytes()
    assert not list((rough / "tmp" / "pieces").iterdir())
    made = (rough / "made.txt").read_text().split()
    assert len(made) < PIECES + 3 * 3, "finished pieces were made again"
