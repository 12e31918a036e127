"""What goes wrong on real machines, through the stages as people run them: kills, bad images, full disks, damage."""

import re
import resource
import runpy
import shutil
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from partreid.errors import UserError
from partreid.inspection import program
from partreid.labels import LABELS
from partreid.storage import cache, chunks, image_table, pieces, published_weights
from partreid.tools import TOOLS, blazepose, openpose, schp
from partreid.tools.reading import read_original
from upright import blob, people

IMAGES = 400
INDEX = Path("data/index/synthetic.parquet")
TOOL = Path("data/tools/truth/synthetic.npz")
MEMBERS = {
    "heads": ("x0", "y0", "x1", "y1"),
    "pifpaf": ("fields",),
    "schp": ("parsing", "person"),
    "poses": ("keypoints", "cluster"),
    "partmaps": ("maps",),
}


def index(paths: list[str], sizes: Mapping[str, tuple[int, int]] | None = None) -> None:
    """An image table of two persons; sizes: height and width of an image in pixels where they are not 256 and 128."""
    row = {"sha1": "0", "split": "train"}
    both = {path: (sizes or {}).get(path, (256, 128)) for path in paths}
    rows = [
        {**row, "pid": 1 + number % 2, "path": path, "height": height, "width": width}
        for number, (path, (height, width)) in enumerate(both.items())
    ]
    image_table.write(image_table.build(rows, {}), INDEX)


def workplace(folder: Path, project: Path, images: int) -> None:
    """A project in `folder` whose images nobody needs to look at: the truth of them is known. Labels are from truth."""
    params = (project / "params.yaml").read_text(encoding="utf-8")
    (folder / "params.yaml").write_text(re.sub(r"(?m)^(    (?:tool|person)): blazepose", r"\1: truth", params))
    (folder / "stages").symlink_to(project / "stages")
    paths = [f"{number}.jpg" for number in range(images)]
    index(paths)
    random = np.random.default_rng(0)
    known = {
        "path": np.array(paths),
        "keypoints": people(images),
        "person": blob().repeat(images, 0),
        "parsing": random.integers(0, 7, (images, 128, 64), np.uint8),
        "head": np.tile(np.array([40, 20, 80, 60], np.float32), (images, 1)) + random.random((images, 1), np.float32),
        "visible": random.random(images, np.float32),
        "view": random.random(images, np.float32),
    }
    chunks.write(Path("data/synthetic/truth.npz"), {"renderer": 1}, [known])


@pytest.fixture
def here(tmp_path, monkeypatch, project):
    """An empty project folder, which is the working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.setenv("PYTHONPATH", str(project / "src"))
    INDEX.parent.mkdir(parents=True)
    return tmp_path


@pytest.fixture
def truth(here, project):
    workplace(here, project, IMAGES)
    return here


def start(*words: str, limit: int | None = None) -> subprocess.Popen:
    """A stage; limit: the largest file in bytes that it may write, as a disk allows that is nearly full."""

    def fill() -> None:
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    command = [sys.executable, f"stages/{words[0]}.py", *words[1:]]
    return subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, preexec_fn=fill)


def stage(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    """Run a stage in this process; its exit status."""
    monkeypatch.setattr(sys, "argv", list(words))
    with pytest.raises(SystemExit) as ended, warnings.catch_warnings():
        runpy.run_path(f"stages/{words[0]}.py", run_name="__main__")
    return int(ended.value.code or 0)


def left_over(*folders: str) -> list[Path]:
    return [file for folder in folders for file in Path(folder).rglob("*") if file.is_file() and file.suffix == ".part"]


# killed


@pytest.mark.parametrize(("words", "output"), [
    (("tool", "truth", "synthetic"), TOOL),
    (("label", "pifpaf", "synthetic"), Path("data/labels/pifpaf/synthetic.npz")),
])  # fmt: skip
@pytest.mark.usefixtures("truth")
def test_killed_at_random_points_it_ends_with_the_same_bytes(monkeypatch, words, output):
    if words[0] == "label":
        assert stage(monkeypatch, "tool", "truth", "synthetic", "--processes", "1") == 0

    def run(processes: int, seconds: float | None) -> tuple[int, float]:
        """Exit status and how long the work took; killed `seconds` after it began."""
        with start(*words, "--processes", str(processes)) as process:
            process.stderr.read(1)  # the progress bar appears when the work begins
            began = time.monotonic()
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
            return process.wait(), time.monotonic() - began

    calm = {processes: run(processes, None) for processes in (1, 2)}
    wanted = output.read_bytes()
    assert [status for status, _ in calm.values()] == [0, 0]
    output.unlink()
    random, kills = np.random.default_rng(0), 0
    while kills < 4:  # reliability/test_killed.py, which is slow, kills a hundred times
        processes = 1 + kills % 2
        status, _ = run(processes, random.uniform(0, calm[processes][1]))
        if status == 0:  # done before the kill: from the start again
            assert output.read_bytes() == wanted
            output.unlink()
        else:
            assert status == -signal.SIGKILL
            assert not output.exists() or output.read_bytes() == wanted
            kills += 1
    assert run(1, None)[0] == 0
    assert output.read_bytes() == wanted
    assert not left_over("data", "tmp")


@pytest.mark.usefixtures("here")
def test_what_a_kill_left_of_the_file_itself_is_removed_unless_its_process_lives():
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    dead, alive = (Path(f"out/.out.npz.{process}.part") for process in (gone.pid, 1))
    for file in (dead, alive):
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b"half")
    pieces.write(Path("out/out.npz"), {}, lambda a, b: {"status": np.zeros(b - a, np.uint8)}, 3, processes=1)
    assert sorted(Path("out").iterdir()) == [alive, Path("out/out.npz")]


# bad images


def bad_images(folder: Path) -> dict[str, bool]:
    """Write them; which of them can be read."""
    folder.mkdir(parents=True, exist_ok=True)
    colours = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (128, 64, 3), np.uint8), (9, 9), 0)
    picture = Image.fromarray(colours)
    picture.save(folder / "good.jpg")
    data = (folder / "good.jpg").read_bytes()
    for name, share in (("cut_early.jpg", 0.3), ("cut_late.jpg", 0.95)):
        (folder / name).write_bytes(data[: int(share * len(data))])
    (folder / "zero.jpg").write_bytes(b"")
    (folder / "text.jpg").write_text("this is no picture\n" * 50)
    picture.save(folder / "cut.png")
    (folder / "cut.png").write_bytes((folder / "cut.png").read_bytes()[:-2000])
    picture.crop((0, 0, 1, 1)).save(folder / "one.png")
    cv2.imwrite(str(folder / "huge.jpg"), np.broadcast_to(colours[:1, :1], (8000, 8000, 3)))
    picture.convert("L").save(folder / "grey.jpg")
    picture.convert("CMYK").save(folder / "cmyk.jpg")
    cv2.imwrite(str(folder / "sixteen.png"), colours[..., ::-1].astype(np.uint16) * 257)
    picture.putalpha(100)
    picture.save(folder / "alpha.png")
    bad = ("cut_early.jpg", "cut_late.jpg", "zero.jpg", "text.jpg", "cut.png")
    good = ("good.jpg", "one.png", "huge.jpg", "grey.jpg", "cmyk.jpg", "sixteen.png", "alpha.png")
    return {**dict.fromkeys(bad, False), **dict.fromkeys(good, True)}


def test_bad_images_stop_nothing_and_are_in_the_report(here, project, monkeypatch, capsys):
    shutil.copy(project / "params.yaml", here)
    (here / "stages").symlink_to(project / "stages")
    kinds = bad_images(Path("data/synthetic"))
    images = {name: read_original(Path("data/synthetic", name)) for name in kinds}
    for name, readable in kinds.items():
        image = images[name]
        assert (image is not None) == readable, name
        assert image is None or (image.ndim, image.shape[2], image.dtype) == (3, 3, np.uint8), name
    assert (images["one.png"].shape[:2], images["huge.jpg"].shape[:2]) == ((1, 1), (8000, 8000))
    np.testing.assert_array_equal(images["sixteen.png"], images["alpha.png"])  # the colours are as they were
    assert np.abs(images["cmyk.jpg"].astype(int) - images["alpha.png"]).mean() < 5
    assert np.ptp(images["grey.jpg"], axis=2).max() == 0
    for read in (lambda file: schp._read(file, 64), openpose._read):  # the other networks' preparing
        assert [read(Path("data/synthetic", name)) is not None for name in kinds] == list(kinds.values())

    def network(_model, square):  # sees somebody wherever there is a picture, nobody in the smallest one
        landmarks = np.concatenate([np.tile([128, 128, 0, 5, 5], 33), np.zeros(30)]).astype(np.float32)
        landmarks[:165:5], landmarks[1:165:5] = np.linspace(90, 160, 33), np.linspace(40, 220, 33)
        return (
            landmarks,
            0.1 if np.ptp(square, axis=(0, 1)).max() == 0 and square[0, 0, 0] > 0.9 else 0.95,
            np.full((256, 256), 5, np.float32),
        )

    monkeypatch.setattr(blazepose, "_run", network)
    monkeypatch.setattr(published_weights, "path", lambda _name: Path("params.yaml"))
    cv2.imwrite("data/synthetic/nobody.png", np.full((40, 20, 3), 255, np.uint8))
    index([*kinds, "nobody.png"], {name: image.shape[:2] for name, image in images.items() if image is not None})
    assert stage(monkeypatch, "tool", "blazepose", "synthetic", "--processes", "1") == 0
    said = capsys.readouterr().err
    assert "warning: 5 images are damaged" in said
    assert "cut_late.jpg: the file has changed since the data set was indexed" in said
    wanted = [*(cache.OK if readable else cache.FAILED for readable in kinds.values()), cache.MISSING]
    tool = cache.Cache(Path("data/tools/blazepose/synthetic.npz"), "tool/blazepose", INDEX)
    np.testing.assert_array_equal(tool.status, wanted)
    for label in LABELS:
        assert stage(monkeypatch, "label", label, "synthetic", "--processes", "1") == 0
        made = cache.Cache(LABELS[label].file(label, "synthetic"), f"label/{label}", INDEX)
        np.testing.assert_array_equal(made.status, wanted, label)
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["inspect.py", label, "synthetic", "--stats"])
        program.main()
        counts = [str(len(wanted)), *(str(wanted.count(status)) for status in range(3))]
        assert re.search(r"^all\s+" + r"\s+".join(counts), capsys.readouterr().out, re.MULTILINE), label


# full disk


@pytest.mark.parametrize(("words", "limit", "output", "named"), [
    (("tool", "truth", "synthetic", "--processes", "1"), 20_000, TOOL, r"tmp/pieces/\w+/\d+\.npz"),
    (("tool", "truth", "synthetic", "--processes", "2"), 20_000, TOOL, r"tmp/pieces/\w+/\d+\.npz"),
    (("tool", "truth", "synthetic", "--processes", "1"), 1_500_000, TOOL, re.escape(str(TOOL))),
    (("label", "heads", "synthetic", "--processes", "1"), 6_000, Path("data/labels/heads/synthetic.parquet"),
     r"data/labels/heads/synthetic\.parquet"),
])  # fmt: skip
@pytest.mark.usefixtures("truth")
def test_a_full_disk_is_one_line_and_a_later_run_goes_on(monkeypatch, words, limit, output, named):
    if words[0] == "label":
        assert stage(monkeypatch, "tool", "truth", "synthetic", "--processes", "1") == 0
    with start(*words, limit=limit) as process:
        said = process.stderr.read().decode().replace("\r", "\n")
    assert process.returncode == 1
    told = r"\d images|warning: "  # the progress, and what is doubted
    lines = [line for line in said.splitlines() if line.strip() and not re.search(told, line)]
    assert len(lines) == 1, said
    assert re.search(rf"^error: .*{named} cannot be written \(File too large\)$", lines[0])
    assert not output.exists()
    assert not left_over("data", "tmp")
    unfinished = [file.stat().st_mtime_ns for file in sorted(Path("tmp").rglob("*.npz"))]
    assert stage(monkeypatch, *words) == 0
    assert cache.Cache(output, f"{words[0]}/{words[1]}", INDEX).header["ok"] == IMAGES
    if named.startswith("data"):
        assert len(unfinished) == -(-IMAGES // pieces.PIECE), "the pieces were lost"


# damaged and foreign files


@pytest.fixture
def labelled(here, project, monkeypatch):
    """All five labels of a few images."""
    workplace(here, project, 70)
    assert stage(monkeypatch, "tool", "truth", "synthetic", "--processes", "1") == 0
    for label in LABELS:
        assert stage(monkeypatch, "label", label, "synthetic", "--processes", "1") == 0
    return here


def everything(file: Path, kind: str, members: tuple[str, ...]) -> list[np.ndarray]:
    opened = cache.Cache(file, kind, INDEX)
    return [opened.status, *(opened.rows(name, np.arange(70)) for name in ("score", *members))]


def refusal(read: Callable[[], object]) -> str | None:
    """What the user is told, None when it is read."""
    try:
        read()
    except UserError as error:
        return str(error)
    return None


def damages(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Flipped bytes in the middle and at random places, most of them near the end, where the directories are."""
    random = np.random.default_rng(0)
    places = [len(data) // 2, *random.integers(0, len(data), 20), *random.integers(-1200, 0, 60) % len(data)]
    for place in map(int, places):
        yield f"byte {place} of {len(data)}", data[:place] + bytes([data[place] ^ 255]) + data[place + 1 :]
    for share in (0.5, 0.99):
        yield f"cut at {share}", data[: int(share * len(data))]
    yield "no end", data[:-1]
    yield "other text", b"hello"
    yield "nothing", b""


@pytest.mark.usefixtures("labelled")
def test_damaged_caches_are_refused_by_name_in_every_reader():
    readers = {LABELS[name].file(name, "synthetic"): (f"label/{name}", MEMBERS[name]) for name in LABELS}
    readers[TOOL] = ("tool/truth", TOOLS["truth"].gives)
    for file, (kind, members) in readers.items():
        data, good = file.read_bytes(), everything(file, kind, members)
        refused = set()
        for how, damaged in damages(data):
            file.write_bytes(damaged)
            said = refusal(partial(everything, file, kind, members))
            if said is None:
                for found, wanted in zip(everything(file, kind, members), good, strict=True):
                    np.testing.assert_array_equal(found, wanted, f"{file}, {how}: wrong values")
            else:
                assert str(file) in said, how
                refused.add(how)
        file.write_bytes(data)
        assert {
            f"byte {len(data) // 2} of {len(data)}",
            "cut at 0.5",
            "cut at 0.99",
            "no end",
            "other text",
        } <= refused, file


@pytest.mark.usefixtures("labelled")
def test_a_damaged_image_table_is_refused_by_name():
    good, refused = image_table.read(INDEX), set()
    for how, damaged in damages(INDEX.read_bytes()):
        INDEX.write_bytes(damaged)
        said = refusal(partial(image_table.read, INDEX))
        if said is None:
            assert image_table.read(INDEX).equals(good), f"{how}: wrong values"
        else:
            assert str(INDEX) in said, how
            assert "\n" not in said, how
            refused.add(how)
    assert {"cut at 0.5", "cut at 0.99", "no end", "other text", "nothing"} <= refused


@pytest.mark.parametrize("file", [TOOL, LABELS["heads"].file("heads", "synthetic")])
@pytest.mark.usefixtures("labelled")
def test_stages_say_what_is_damaged(monkeypatch, capsys, file):
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 255
    file.write_bytes(data)
    words = ["label", "schp", "synthetic", "--processes", "1"] if file == TOOL else ["inspect", "heads", "synthetic"]
    assert stage(monkeypatch, *words) == 1
    said = capsys.readouterr().err.replace("\r", "\n").splitlines()[-1]
    assert re.search(rf"^error: \S*{file}.*damaged.*delete it", said), said


@pytest.mark.usefixtures("here")
def test_a_damaged_piece_is_refused_by_name():
    def work(start: int, stop: int) -> dict[str, np.ndarray]:
        if start:
            raise ValueError("boom")
        return {"status": np.zeros(stop - start, np.uint8), "value": np.random.default_rng(0).random((stop - start, 9))}

    with pytest.raises(ValueError, match="boom"):
        pieces.write(Path("out.npz"), {}, work, 65, processes=1)
    (piece,) = Path("tmp").rglob("*.npz")
    data = bytearray(piece.read_bytes())
    data[len(data) // 2] ^= 255
    piece.write_bytes(data)

    def rest(start: int, stop: int) -> dict[str, np.ndarray]:
        return {"status": np.zeros(stop - start, np.uint8), "value": np.zeros((stop - start, 9))}

    with pytest.raises(UserError, match=rf"{piece}.* is damaged .*delete it and run the same command again"):
        pieces.write(Path("out.npz"), {}, rest, 65, processes=1)
    piece.unlink()
    pieces.write(Path("out.npz"), {}, rest, 65, processes=1)


@pytest.mark.usefixtures("labelled")
def test_caches_of_another_index_are_refused_with_the_reason(monkeypatch, capsys):
    index([f"other/{number}.jpg" for number in range(70)])
    for words in (("label", "heads"), *(("inspect", label) for label in LABELS)):
        assert stage(monkeypatch, *words, "synthetic") == 1
        said = capsys.readouterr().err
        assert re.search(rf"^error: data/(tools|labels)/.*header has table .* made for another {INDEX}", said), said
