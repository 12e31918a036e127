import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from partreid.errors import UserError
from partreid.storage import chunks, columns, pieces

# a slow tool in its own program: each piece takes a while and notes that it was made
PROGRAM = """
import sys, time
from pathlib import Path
import numpy as np
from partreid.storage import pieces

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


def test_pieces_made_of_other_files_are_not_used(tmp_path):
    source = tmp_path / "tool.npz"
    source.write_bytes(b"one")
    with pytest.raises(ValueError, match="boom"):
        pieces.write(tmp_path / "out.npz", {"tool": "t"}, fails_late, 300, processes=1, sources=[source])
    source.write_bytes(b"two")  # as a tool that imports what others made, of files that have changed
    made = []

    def note(start: int, stop: int) -> dict[str, np.ndarray]:
        made.append(start)
        return squares(start, stop)

    header = pieces.write(tmp_path / "out.npz", {"tool": "t"}, note, 300, processes=1, sources=[source])
    assert made == list(range(0, 300, pieces.PIECE))
    assert "sources" not in header


def test_two_runs_at_the_same_work_are_refused(tmp_path):
    def again(start, stop):
        with pytest.raises(UserError, match="another run"):
            pieces.write(tmp_path / "out.npz", {"tool": "t"}, squares, 10, processes=1)
        return squares(start, stop)

    pieces.write(tmp_path / "out.npz", {"tool": "t"}, again, 10, processes=1)


def test_a_file_that_cannot_be_written_is_said_before_the_work(tmp_path):
    def work(*piece):
        pytest.fail(f"began {piece}")

    (tmp_path / "tools").touch()  # in the place of the folder: chmod would not stop root
    with pytest.raises(UserError, match=r"tools/out.npz cannot be written \(.+\), so nothing was begun"):
        pieces.write(tmp_path / "tools/out.npz", {"tool": "t"}, work, 100, processes=1)


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
        deadline = time.monotonic() + 60
        while any(map(alive, workers)):
            assert time.monotonic() < deadline, "workers outlive their killed parent"
            time.sleep(0.01)
    assert start(rough).wait() == 0
    assert (rough / "out.npz").read_bytes() == (calm / "out.npz").read_bytes()
    assert not list((rough / "tmp" / "pieces").iterdir())
    made = (rough / "made.txt").read_text().split()
    assert len(made) < PIECES + 3 * 3, "finished pieces were made again"


# an isolated program that follows the protocol: makes the pieces that the folder lacks
ISOLATED = """
import os, sys
from pathlib import Path
import numpy as np

images, fails_at = int(sys.argv[1]), int(sys.argv[2])
folder, size = Path(sys.argv[sys.argv.index("--pieces") + 1]), int(sys.argv[sys.argv.index("--size") + 1])
for start in range(0, images, size):
    piece = folder / f"{start:09d}.npz"
    if start == fails_at:
        sys.exit("the network ran out of memory")
    if not piece.exists():
        rows = np.arange(start, min(start + size, images))
        with open(f"{piece}.part", "wb") as file:
            np.savez(file, status=(rows % 3).astype(np.uint8), value=rows**2)
        os.rename(f"{piece}.part", piece)
        with open("made.txt", "a") as log:
            log.write(f"{start}\\n")
"""


def isolated(images: int, fails_at: int = -1) -> pieces.Program:
    Path("isolated.py").write_text(ISOLATED)
    return pieces.Program((sys.executable, "isolated.py", str(images), str(fails_at)))


def test_a_program_makes_the_pieces():
    header = pieces.write(Path("out.npz"), {"tool": "t"}, isolated(150), 150)
    assert header == {"tool": "t", "images": 150, "ok": 50, "missing": 50, "failed": 50}
    np.testing.assert_array_equal(chunks.Reader(Path("out.npz")).all("value"), np.arange(150) ** 2)


def test_a_program_that_fails_is_quoted_and_goes_on_later():
    with pytest.raises(UserError, match=r"ended with status 1.*\n.*out of memory"):
        pieces.write(Path("out.npz"), {"tool": "t"}, isolated(150, fails_at=128), 150)
    assert not Path("out.npz").exists()
    damaged = next(Path("tmp/pieces").rglob("000000064.npz"))
    damaged.write_bytes(b"torn")  # is made again
    pieces.write(Path("out.npz"), {"tool": "t"}, isolated(150), 150)
    assert Path("made.txt").read_text().split() == ["0", "64", "64", "128"]
    np.testing.assert_array_equal(chunks.Reader(Path("out.npz")).all("value"), np.arange(150) ** 2)


def test_a_program_that_is_not_there_or_makes_nothing_is_named():
    with pytest.raises(UserError, match="cannot start uvv"):
        pieces.write(Path("out.npz"), {"tool": "t"}, pieces.Program(("uvv",)), 10)
    with pytest.raises(UserError, match=r"without the pieces .*000000000\.npz"):
        pieces.write(Path("out.npz"), {"tool": "t"}, pieces.Program((sys.executable, "-c", "print('hm')")), 10)


def test_parquet_is_written_where_the_name_says_so():
    pieces.write(Path("out.parquet"), {"tool": "t"}, squares, 100, processes=1)
    reader = columns.Reader(Path("out.parquet"))
    assert reader.header["ok"] == 90
    np.testing.assert_array_equal(reader.all("value"), np.arange(100) ** 2)


def test_work_on_some_images_gives_their_rows_in_small_pieces():
    asked = []

    def work(start, stop):
        asked.append((start, stop))
        return {**squares(start, stop), "more": np.zeros(stop - start)}

    wanted = np.array([3, 4, 5, 70, *range(200, 200 + pieces.PIECE + 1)])
    found = pieces.rows(work, wanted, ("value", "status"))
    assert list(found) == ["value", "status"]
    assert np.array_equal(found["value"], wanted**2)
    assert asked == [(3, 6), (70, 71), (200, 200 + pieces.PIECE), (200 + pieces.PIECE, 201 + pieces.PIECE)]
