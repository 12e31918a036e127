import os
import subprocess
import sys
import time
from argparse import Namespace
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from partreid.errors import UserError
from partreid.storage import cache, pieces
from partreid.tools.programs import protocol
from partreid.tools.reading import read_original


def write_image(path: Path, height: int = 40, width: int = 20, value: int = 120) -> bytes:
    data = cv2.imencode(path.suffix, np.full((height, width, 3), value, np.uint8))[1].tobytes()
    path.write_bytes(data)
    return data


def blank(n):
    return {"brightness": np.zeros(n, np.float32)}


def brightness(images):
    """Black images show nobody."""
    values = [float(image.pixels.mean()) for image in images]
    return [{"brightness": value, "score": 0.5} if value else None for value in values]


def shape(image):
    return image.pixels.shape


@pytest.fixture
def options(tmp_path):
    """Ten images in pieces of four: the fourth shows nobody, the sixth is empty, the last is cut."""
    paths = [f"{i}.png" for i in range(9)] + ["cut.jpg"]
    for i, path in enumerate(paths[:9]):
        write_image(tmp_path / path, value=0 if i == 3 else 10 * (i + 1))
    (tmp_path / "5.png").write_bytes(b"")
    data = write_image(tmp_path / "cut.jpg")
    (tmp_path / "cut.jpg").write_bytes(data[: len(data) * 2 // 3])
    pyarrow.parquet.write_table(pa.table({"path": paths}), tmp_path / "t.parquet")
    folder = tmp_path / "pieces"
    return Namespace(table=tmp_path / "t.parquet", root=tmp_path, pieces=folder, size=4, parent=None, batch=3)


def test_status_numbers_are_those_of_the_cache():
    assert (protocol.OK, protocol.MISSING, protocol.FAILED) == (cache.OK, cache.MISSING, cache.FAILED)


def test_every_image_has_its_row(options):
    protocol.run(options, blank, brightness, shape)
    made = sorted(options.pieces.iterdir())
    assert [file.name for file in made] == ["000000000.npz", "000000004.npz", "000000008.npz"]
    joined = {
        name: np.concatenate([np.load(file)[name] for file in made]) for name in ("status", "score", "brightness")
    }
    assert joined["status"].tolist() == [0, 0, 0, 1, 0, 2, 0, 0, 0, 2]
    assert joined["score"].dtype == np.float32
    np.testing.assert_array_equal(joined["score"], np.where(joined["status"] == 0, 0.5, 0))
    np.testing.assert_allclose(joined["brightness"], [10, 20, 30, 0, 50, 0, 70, 80, 90, 0])


def test_finished_pieces_are_kept_and_torn_ones_ignored(options):
    options.pieces.mkdir()
    (options.pieces / "000000004.npz").write_bytes(b"finished before")
    (options.pieces / ".000000000.npz.77.part").write_bytes(b"torn")
    seen = []

    def note(images):
        seen.extend(image.pixels[0, 0, 0] for image in images)
        return brightness(images)

    protocol.run(options, blank, note, shape)
    assert seen == [10, 20, 30, 0, 90]
    assert (options.pieces / "000000004.npz").read_bytes() == b"finished before"
    assert np.load(options.pieces / "000000000.npz")["status"].tolist() == [0, 0, 0, 1]
    protocol.run(options, blank, note, shape)
    assert len(seen) == 5  # nothing is left to do


def test_an_error_leaves_no_half_piece(options, monkeypatch):
    def full(file, **_):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OSError, match="No space"):
        protocol.run(options, blank, brightness, shape)
    assert not list(options.pieces.iterdir())


def test_an_image_that_the_program_stumbles_over_is_failed_and_the_others_are_not(options, capsys):
    def stumbles(images):
        if any(image.pixels.mean() == 20 for image in images):
            raise RuntimeError("out of memory")
        return brightness(images)

    protocol.run(options, blank, stumbles, shape)
    assert np.load(options.pieces / "000000000.npz")["status"].tolist() == [0, 2, 0, 1]
    assert "1.png: RuntimeError: out of memory" in capsys.readouterr().err


def test_a_program_that_stumbles_over_everything_ends(options):
    def broken(_):
        raise RuntimeError("no such layer")

    with pytest.raises(RuntimeError, match="no such layer"):
        protocol.run(options, blank, broken, shape)
    assert not list(options.pieces.iterdir())


def test_a_last_piece_of_one_bad_image_does_not_stop_it(tmp_path):
    write_image(tmp_path / "a.png")

    def broken(_):
        raise RuntimeError("odd image")

    result = protocol.piece([tmp_path / "a.png"], blank, broken, shape, 8)
    assert result["status"].tolist() == [2]


def test_batches_hold_images_of_one_kind_in_order():
    sizes = [(4, 2), (6, 3), (4, 2), (4, 2), (6, 3), (4, 2)]
    images = {row + 10: protocol.Image(np.zeros((*size, 3), np.uint8), *size) for row, size in enumerate(sizes)}
    assert list(protocol.batches(images, shape, 3)) == [[10, 12, 13], [15], [11, 14]]
    assert list(protocol.batches(images, lambda _: 0, 100)) == [[10, 11, 12, 13, 14, 15]]


def test_images_are_read_as_partreid_reads_them(tmp_path):
    rng = np.random.default_rng(0)
    colours = rng.integers(0, 256, (30, 20, 3), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / "a.jpg"), colours)
    cv2.imwrite(str(tmp_path / "grey.png"), colours[:, :, 0])
    cv2.imwrite(str(tmp_path / "deep.png"), colours.astype(np.uint16) * 257)
    cv2.imwrite(str(tmp_path / "dot.png"), colours[:1, :1])
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "a.jpg").read_bytes()[:-40])
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "text.png").write_text("hello")
    for name in ("a.jpg", "grey.png", "deep.png", "dot.png"):
        image, expected = protocol.read(tmp_path / name), read_original(tmp_path / name)
        np.testing.assert_array_equal(image.pixels, expected)
        assert (image.height, image.width) == expected.shape[:2]
        assert image.scale == (1, 1)
    for name in ("cut.jpg", "empty.jpg", "text.png"):
        assert protocol.read(tmp_path / name) is None
        assert read_original(tmp_path / name) is None


def test_an_image_that_cannot_be_read_now_ends_the_program_and_is_no_finding(tmp_path, capsys):
    (tmp_path / "folder.png").mkdir()
    for name in ("folder.png", "absent.png"):
        with pytest.raises(SystemExit) as ended:
            protocol.read(tmp_path / name)
        assert ended.value.code == 1
        assert f"cannot read the image {tmp_path / name} now" in capsys.readouterr().err
        with pytest.raises(UserError, match=f"cannot read the image {tmp_path / name} now: .*run the same command"):
            read_original(tmp_path / name)


def test_large_images_are_shrunk_and_say_from_where(tmp_path):
    write_image(tmp_path / "large.png", 3000, 1500)
    write_image(tmp_path / "line.png", 1, 5000)
    image = protocol.read(tmp_path / "large.png", longest=1000)
    assert image.pixels.shape == (1000, 500, 3)
    assert (image.height, image.width, image.scale) == (3000, 1500, (1 / 3, 1 / 3))
    assert protocol.read(tmp_path / "line.png", longest=1000).pixels.shape == (1, 1000, 3)


PROGRAM = """
import sys, time
sys.path.append({folder!r})
import numpy as np, protocol

def look(images):
    time.sleep({pause})
    return [{{"score": 1}} for image in images]

if __name__ == "__main__":
    options = protocol.parser(None).parse_args()
    protocol.run(options, lambda n: {{"value": np.ones((n, 2), np.float32)}}, look, lambda image: 0)
"""


def program(options, pause: float) -> tuple[str, ...]:
    folder = str(Path(protocol.__file__).parent)
    script = options.root / "program.py"
    script.write_text(PROGRAM.format(folder=folder, pause=pause))
    return sys.executable, str(script), "--table", str(options.table), "--root", str(options.root)


def test_pieces_of_a_program_become_a_file(options, monkeypatch):
    monkeypatch.chdir(options.root)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    header = pieces.write(options.root / "out.npz", {"tool": "t"}, pieces.Program(program(options, 0)), 10)
    assert [header[name] for name in ("images", "ok", "missing", "failed")] == [10, 8, 0, 2]


def test_a_program_ends_with_its_parent(options):
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    own = ("--pieces", str(options.pieces), "--size", "1", "--batch", "1", "--parent", str(sleeper.pid))
    running = subprocess.Popen([*program(options, 2), *own])
    try:
        deadline = time.monotonic() + 60
        while not (options.pieces / "000000000.npz").exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert running.poll() is None
        sleeper.kill()
        sleeper.wait()
        assert running.wait(timeout=60) == 1
    finally:
        sleeper.kill()
        running.kill()
    assert not (options.pieces / "000000008.npz").exists()


def test_the_device_is_what_there_is(capsys):
    assert [protocol.device("auto", cuda) for cuda in (True, False)] == ["cuda", "cpu"]
    assert protocol.device("cuda:1", True) == "cuda:1"
    with pytest.raises(SystemExit):
        protocol.device("cuda", False)
    assert "no CUDA device" in capsys.readouterr().err


@pytest.mark.parametrize("module", ["protocol", "confidences", "charts", "arrays"])
def test_shared_modules_run_without_partreid(module, tmp_path):
    folder = str(Path(protocol.__file__).parent)
    code = f"import sys; sys.path.append({folder!r}); import {module}; assert 'partreid' not in sys.modules"
    environment = {**os.environ, "PYTHONPATH": ""}
    assert subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=False).returncode == 0
