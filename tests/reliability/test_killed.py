"""A hundred SIGKILLs at random moments: tool, label, train, embed and evaluate end with the bytes of a quiet run.

Every run is a process of its own, forked from this one so that a kill hits the work and not Python's start. A killed
stage is started again, killed again, and at last left alone; then its results are compared and everything is removed.
"""

import os
import runpy
import shutil
import signal
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import yaml

from partreid import backbones, inference, params
from partreid.storage import chunks, image_table, pieces
from partreid.training import run as training
from reliability.mangling import cases
from upright import blob, people

pytestmark = pytest.mark.slow

FULL = 100
ROUNDS = 4  # of kills and a run that is left alone, for each stage
PERSONS, IMAGES = 10, 12  # images of each
RUN = Path("runs/bpbreid-synthetic")
STAGES: dict[str, tuple[tuple[str, ...], list[str]]] = {
    "tool": (("tool.py", "truth", "synthetic", "--processes", "1"), ["data/tools/truth/synthetic.npz"]),
    "label": (("label.py", "pifpaf", "synthetic", "--processes", "1"), ["data/labels/pifpaf/synthetic.npz"]),
    "train": (("train.py", "bpbreid", "synthetic"), [f"{RUN}/weights.safetensors"]),
    "embed": (("embed.py", "bpbreid", "synthetic"), [f"{RUN}/embeddings.npz"]),
    "evaluate": (
        ("evaluate.py",),
        [f"results/synthetic/bpbreid/{name}" for name in ("metrics.json", "cmc.csv", "ranks.parquet", "record.json")],
    ),
}


def workplace(here: Path, project: Path) -> None:
    """A project of small images whose persons are known."""
    values = params.read(project / "params.yaml")
    for block in values["labels"].values():
        if isinstance(block, dict):
            block |= {key: "truth" for key in ("tool", "person") if key in block}
    small = {"height": 64, "width": 32, "epochs": 3, "ids_per_batch": 4, "images_per_id": 2, "batches_per_epoch": 3}
    values["recipes"]["laptop"] |= small
    (here / "params.yaml").write_text(yaml.safe_dump(values))
    (here / "stages").symlink_to(project / "stages")
    random = np.random.default_rng(0)
    rows, photos = [], here / "data/synthetic"
    photos.mkdir(parents=True)
    for number in range(PERSONS * IMAGES):
        person, path = number // IMAGES, f"{number:04d}.png"
        cv2.imwrite(str(photos / path), random.integers(0, 256, (64, 32, 3)).astype(np.uint8))
        split = "train" if person < PERSONS // 2 else "query" if number % 6 == 0 else "gallery"
        row = {"path": path, "split": split, "pid": person + 1, "camid": number % 2, "clothes_id": person}
        rows.append({**row, "width": 32, "height": 64, "sha1": str(number), "occluded": False, "misaligned": False})
    table = image_table.build(rows, {})
    image_table.write(table, here / "data/index/synthetic.parquet")
    n = len(rows)
    known = {
        "path": np.array(table["path"].to_pylist()),
        "keypoints": people(n) / (4, 4, 1),
        "person": blob().repeat(n, 0),
        "parsing": random.integers(0, 7, (n, 128, 64), np.uint8),
        "head": np.tile(np.array([10, 5, 20, 15], np.float32), (n, 1)),
        "visible": random.random(n, np.float32),
        "view": random.random(n, np.float32),
    }
    chunks.write(
        photos / "truth.npz",
        {"renderer": 1},
        [{name: np.float32(v) if name == "keypoints" else v for name, v in known.items()}],
    )


def started(words: tuple[str, ...], log: Path) -> int:
    """A stage in a forked process; its id."""
    pid = os.fork()
    if pid:
        return pid
    try:
        out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(out, 1)
        os.dup2(out, 2)
        sys.argv = list(words)
        runpy.run_path(f"stages/{words[0]}", run_name="__main__")
    except SystemExit as ended:
        os._exit(int(ended.code or 0))
    except BaseException as error:
        print(repr(error), flush=True)
    finally:
        os._exit(70)


def left_alone(words: tuple[str, ...], log: Path) -> float:
    """Run a stage to its end; the seconds it took."""
    began = time.monotonic()
    _, status = os.waitpid(started(words, log), 0)
    assert os.waitstatus_to_exitcode(status) == 0, log.read_text()[-2000:]
    return time.monotonic() - began


def content(files: list[str]) -> list[bytes]:
    return [Path(file).read_bytes() for file in files]


def remove(files: list[str]) -> None:
    for file in files:
        Path(file).unlink(missing_ok=True)
    shutil.rmtree("tmp", ignore_errors=True)


def test_killed_at_random_moments_every_stage_ends_with_the_same_bytes(tmp_path, project, monkeypatch):
    torch.set_num_threads(1)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.setattr(backbones, "load_imagenet", lambda *_: None)  # random weights: nothing is fetched
    monkeypatch.setattr(pieces, "PIECE", 8)  # 15 pieces, not two
    monkeypatch.setattr(inference, "BATCH", 2)  # pieces of 8 images here too
    monkeypatch.setattr(training, "SECONDS", 0.0)  # a checkpoint after every epoch
    workplace(tmp_path, project)
    random, log = np.random.default_rng(4), tmp_path / "log"
    said = []
    for name, (words, files) in STAGES.items():
        took = left_alone(words, log)
        wanted = content(files)
        kills = ended = 0
        for round_ in range(1, ROUNDS + 1):
            remove(files)
            while kills < round_ * cases(FULL // len(STAGES) // ROUNDS):
                began, pid = time.monotonic(), started(words, log)
                time.sleep(random.uniform(0, took))
                os.kill(pid, signal.SIGKILL)
                _, status = os.waitpid(pid, 0)
                killed = os.waitstatus_to_exitcode(status) == -signal.SIGKILL
                assert killed or os.waitstatus_to_exitcode(status) == 0, log.read_text()[-2000:]
                kills, ended = kills + killed, ended + (not killed)
                for file, whole in zip(files, wanted, strict=True):
                    half = f"{name}: {file} is half written"
                    assert not Path(file).exists() or Path(file).read_bytes() == whole, half
                if not killed:  # it was faster than the first run: kill earlier, and from the start again
                    took = min(took, time.monotonic() - began)
                    remove(files)
            left_alone(words, log)
            assert content(files) == wanted, f"{name}: other bytes after {kills} kills"
            left = [file for file in tmp_path.rglob("*.part") if file.is_file()]
            assert not left, left
        said.append(f"{name} {kills} killed, {ended} had ended before ({took:.1f} s undisturbed)")
    print("\nSIGKILL: " + "; ".join(said))
