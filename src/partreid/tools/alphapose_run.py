"""Starts AlphaPose in a checkout that the user names, on whole images as boxes: a person's box needs no detector.

AlphaPose writes its results once, at the end, and names images without their folders. So it is given links called by
image_id, BATCH images at a time; the results of each batch wait in tmp/alphapose/<fingerprint>/ and are used again.
"""

import json
import os
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from partreid.errors import UserError
from partreid.params import home
from partreid.storage.files import alone, fingerprint, scratch_root, sha256, write_json
from partreid.tools.base import Images
from partreid.tools.reading import read_original

SCRIPT = "scripts/demo_inference.py"
BATCH = 4096  # images per start of AlphaPose
TAIL = 2000  # bytes of its output that an error repeats
# after these AlphaPose waits for ever: an error in its main thread, which it catches, and one in another thread
STUCK = (b"An error as above occurs", b"Exception in thread")
LICENCE = "its licence allows non-commercial use only"


@dataclass(frozen=True)
class Setup:
    """Where AlphaPose is. All paths are absolute."""

    checkout: Path
    python: Path
    config: Path
    checkpoint: Path

    @classmethod
    def find(cls, checkout: str, python: str, config: str, checkpoint: str) -> "Setup":
        """UserError that says what is missing and where to get it."""
        root = home(checkout).absolute()
        if not (root / SCRIPT).is_file():
            raise UserError(
                f"no {SCRIPT} in {root}, which tools.alphapose.checkout names; expected a checkout of AlphaPose: "
                f"`git clone https://github.com/MVIG-SJTU/AlphaPose`, then install it as its docs/INSTALL.md says "
                f"({LICENCE})"
            )
        if not (root / config).is_file():
            raise UserError(
                f"no {root / config}, which tools.alphapose.config names; expected one of AlphaPose's, such as "
                "configs/coco/resnet/256x192_res50_lr1e-3_1x.yaml"
            )
        if not (root / checkpoint).is_file():
            raise UserError(
                f"no {root / checkpoint}, which tools.alphapose.checkpoint names. AlphaPose's docs/MODEL_ZOO.md links "
                "the weights of each config, by hand from a file-sharing site (Fast Pose, ResNet50, 256x192: "
                f"fast_res50_256x192.pth); put them there ({LICENCE})"
            )
        interpreter = shutil.which(home(python))
        if interpreter is None:
            raise UserError(
                f"tools.alphapose.python is {python!r}, expected the interpreter of the environment in which AlphaPose "
                "is installed, such as /home/me/alphapose/bin/python"
            )
        # not Path.resolve: an environment's interpreter is a link, and only its own name leads to the environment
        return cls(root, Path(interpreter).absolute(), root / config, root / checkpoint)


def run(setup: Setup, images: Images) -> tuple[dict[int, list[Mapping[str, Any]]], set[int]]:
    """Image -> its persons as AlphaPose wrote them, and the images that cannot be read.

    UserError when AlphaPose fails; what it did before is kept.
    """
    paths = [(images.root / path).absolute() for path in images.paths()]
    sizes = images.sizes().tolist()
    folder = scratch_root() / "alphapose" / fingerprint(
        images.sha256, sha256(setup.config), sha256(setup.checkpoint), BATCH
    )  # fmt: skip
    persons: dict[int, list[Mapping[str, Any]]] = defaultdict(list)
    failed: set[int] = set()
    with alone(folder):
        for start in range(0, len(paths), BATCH):
            result = folder / f"{start:09d}.json"
            rows = range(start, min(start + BATCH, len(paths)))
            if not result.is_file():
                print(f"AlphaPose: images {rows.start} to {rows.stop - 1} of {len(paths)}", file=sys.stderr)
                readable = [row for row in rows if read_original(paths[row]) is not None]
                found = _start(setup, folder / "batch", {row: paths[row] for row in readable}, sizes)
                write_json(result, {"failed": sorted(set(rows) - set(readable)), "persons": found})
            done = json.loads(result.read_text(encoding="utf-8"))
            failed.update(done["failed"])
            for person in done["persons"]:
                persons[int(Path(person["image_id"]).stem)].append(person)
    return dict(persons), failed


def _start(setup: Setup, folder: Path, paths: Mapping[int, Path], sizes: Sequence[Sequence[int]]) -> list[Any]:
    """Run AlphaPose on images (image -> path) and return its list of persons, whose image_id are <image>.<ending>."""
    if not paths:
        return []
    shutil.rmtree(folder, ignore_errors=True)
    out = folder / "out"
    out.mkdir(parents=True)
    boxes = []
    for row, path in paths.items():
        link = folder / f"{row:09d}{path.suffix.lower()}"
        link.symlink_to(path)
        height, width = sizes[row]
        boxes.append({"image_id": str(link), "category_id": 1, "bbox": [0, 0, width, height], "score": 1.0})
    write_json(folder / "boxes.json", boxes)
    command = [
        str(setup.python), SCRIPT, "--cfg", str(setup.config), "--checkpoint", str(setup.checkpoint),
        "--detfile", str(folder / "boxes.json"), "--outdir", str(out), "--sp",
    ]  # fmt: skip
    last = _stream(command, setup.checkout)
    try:
        found = json.loads((out / "alphapose-results.json").read_bytes())
    except (OSError, ValueError) as error:
        raise UserError(f"AlphaPose ended without results ({' '.join(command)}); its last words:\n{last}") from error
    shutil.rmtree(folder)
    return found


def _stream(command: Sequence[str], folder: Path) -> str:
    """Run a program, show its output as it comes, and return the end of it. UserError when it fails or is stuck."""
    try:
        running = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
        )
    except OSError as error:
        raise UserError(f"cannot start {command[0]}: {error.strerror}") from error
    tail = b""
    stuck = False
    assert running.stdout is not None  # stdout=PIPE
    try:
        while not stuck and (said := running.stdout.read(4096)):
            print(said.decode(errors="replace"), end="", file=sys.stderr, flush=True)
            tail = (tail + said)[-TAIL:]
            stuck = any(words in tail for words in STUCK)
    finally:
        if stuck or sys.exc_info()[0] is not None:  # or we are asked to end: it must not go on alone
            running.kill()
        running.wait()
        running.stdout.close()
    last = "\n".join(tail.decode(errors="replace").strip().splitlines())
    if stuck or running.returncode:
        how = "failed" if stuck else f"ended with status {running.returncode}"
        raise UserError(f"AlphaPose {how} ({' '.join(command)}); its last words:\n{last}")
    return last
