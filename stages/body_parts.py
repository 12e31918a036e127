"""Train the small network of tool `consensus`. Usage: python stages/body_parts.py FOLDER ... --out FILE

Each FOLDER is one that stages/synthetic.py made, with another `synthetic.seed` than that of the people whom the tool is
measured on. Every picture is shown once, those of partly hidden people twice, each time in another scene
(partreid.tools.body_parts_scenes), mirrored or not; MoveNet and BlazePose look at it, and what they say is kept in
--work, as the half-trained network is, so that a run that was stopped goes on. No stage of the pipeline: its result
comes with partreid, made from seeds 7, 8, 9 and 10, each with other cameras, 192 identities of 6 images to train and 8
to test, by

    python stages/body_parts.py RENDERED7 RENDERED8 RENDERED9 RENDERED10 --out src/partreid/tools/body_parts.safetensors

on a processor with bfloat16 units; another one rounds otherwise.
"""

import argparse
import os
from collections.abc import Sequence
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from partreid.body.skeleton import KEYPOINT_MIRROR
from partreid.errors import UserError
from partreid.program import at_least, run
from partreid.progress import progress
from partreid.storage import chunks, published_weights
from partreid.storage.files import whole
from partreid.storage.workers import spread
from partreid.tools import body_parts, evidence, movenet
from partreid.tools.body_parts_scenes import Shown, harder, mirrored
from partreid.tools.reading import read_original

CYCLES = [5400, 1600]  # steps
PIECE = 64  # pictures of a job
OTHERS = 300  # pictures from which other people and things come
HIDDEN = 0.7  # of a person: less to be seen, and the picture is shown twice


def shown(folder: Path, rows: Sequence[int]) -> list[Shown]:
    """Rendered pictures and their truth."""
    reader = chunks.Reader(folder / "truth.npz")
    truth = [reader.rows(name, np.array(rows)) for name in ("path", "parsing", "person", "keypoints")]
    return [_read(folder / str(path), *others) for path, *others in zip(*truth, strict=True)]


def _read(path: Path, *truth: np.ndarray) -> Shown:
    image = read_original(path)
    if image is None:
        raise UserError(f"cannot read {path}")
    return Shown(image, *truth)


@lru_cache(maxsize=1)
def company(folders: tuple[Path, ...]) -> list[Shown]:
    """The pictures from which other people and things come: OTHERS, from all folders alike."""
    made, random = [], np.random.default_rng(0)
    for folder in folders:
        count = len(chunks.Reader(folder / "truth.npz").all("visible"))
        rows = random.choice(count, min(OTHERS // len(folders), count), replace=False)
        made += shown(folder, np.sort(rows).tolist())
    return made


def look(
    folders: tuple[Path, ...], networks: evidence.Networks, first: int, folder: Path, rows: list[int], out: Path
) -> None:
    """Write the network's inputs and the truth of a piece of pictures; `first` is the number of its first one."""
    made = []
    for number, given in enumerate(shown(folder, rows), first):
        rng = np.random.default_rng([1, number])
        one = harder(given, company(folders), rng)
        one = mirrored(one, KEYPOINT_MIRROR) if rng.random() < 0.5 else one
        said = dict(zip(body_parts.INPUTS, body_parts.inputs(evidence.gather(one.image, networks)), strict=True))
        truth = {"parsing": one.parsing, "keypoints": one.keypoints, "size": np.array(one.image.shape[:2])}
        made.append({**{name: values.astype(np.float16) for name, values in said.items()}, **truth})
    with whole(out) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **{name: np.stack([each[name] for each in made]) for name in made[0]})


def pieces(folder: Path) -> list[list[int]]:
    """The rows of the truth that each piece shows."""
    visible = chunks.Reader(folder / "truth.npz").all("visible")
    rows = np.concatenate([np.arange(len(visible)), np.flatnonzero(visible < HIDDEN)]).tolist()
    return [rows[first : first + PIECE] for first in range(0, len(rows), PIECE)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", metavar="FOLDER", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--steps", type=at_least(1), nargs="+", default=CYCLES, help="of each cycle of the learning rate"
    )
    parser.add_argument(
        "--processes", type=at_least(1), default=os.cpu_count() or 1, help="that look; training takes one"
    )
    parser.add_argument("--work", type=Path, default=Path("tmp/body_parts"), help="where what was seen is kept")
    given = parser.parse_args()
    networks = evidence.Networks(*movenet.files(), published_weights.path("blazepose_full"))
    given.work.mkdir(parents=True, exist_ok=True)
    every = [(folder, rows) for folder in given.folders for rows in pieces(folder)]
    files = [given.work / f"{number:04d}.npz" for number in range(len(every))]
    jobs = [(PIECE * number, *every[number], file) for number, file in enumerate(files) if not file.is_file()]
    with progress(len(jobs), "looking", "piece") as bar:
        if jobs:
            work = partial(look, tuple(given.folders), networks)
            spread(work, jobs, given.processes, lambda _number, _done: bar.update(), "a process was killed; run again")
    train(files, given.steps, given.out, given.work)


def gathered(files: list[Path]) -> dict[str, np.ndarray]:
    """All of the pieces that `look` wrote, by name; some gigabytes, which are in memory once."""
    counts = [len(np.load(file, allow_pickle=False)["size"]) for file in files]
    made: dict[str, np.ndarray] = {}
    for file, stop in zip(files, np.cumsum(counts), strict=True):
        piece = np.load(file, allow_pickle=False)
        for name in piece.files:
            values = piece[name]
            made.setdefault(name, np.empty((sum(counts), *values.shape[1:]), values.dtype))
            made[name][stop - len(values) : stop] = values
    return made


def train(files: list[Path], cycles: Sequence[int], out: Path, work: Path) -> None:
    """Train on pieces that `look` wrote; work: the folder where half-trained networks are kept."""
    from safetensors.numpy import load_file, save_file

    from partreid.tools import body_parts_fit as fit

    if sum(cycles) < fit.EARLY:
        raise UserError(f"--steps: {sum(cycles)} steps in all, expected at least {fit.EARLY}")
    every = gathered(files)
    truth = fit.truth(every["parsing"], every["keypoints"], every["size"])
    half, early = work / "training.pt", work / "early.safetensors"
    network = fit.train({name: every[name] for name in body_parts.INPUTS}, truth, cycles, 0, half, early)
    if not early.is_file():
        raise UserError(f"{early} is gone; delete {half}, too, and run again")
    with whole(out) as temporary:
        save_file(fit.averaged(load_file(early), fit.folded(network)), temporary)
    half.unlink(missing_ok=True)
    print(f"{out}: {out.stat().st_size / 1e6:.2f} MB, from {len(every['size'])} scenes")


if __name__ == "__main__":
    run(main)
