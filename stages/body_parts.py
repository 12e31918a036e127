"""Train the small network of tool `consensus`. Usage: python stages/body_parts.py FOLDER --out FILE

FOLDER is one that stages/synthetic.py made, with another `synthetic.seed` than that of the people whom the tool is
measured on. Every picture is shown once, those of partly hidden people twice, each time in another scene
(partreid.tools.body_parts_scenes), mirrored or not; MoveNet and BlazePose look at it, and what they say is kept in
--work so that a run that was stopped goes on. No stage of the pipeline: its result comes with partreid, made
from seed 7 with 64 and 64 identities by

    python stages/body_parts.py RENDERED --steps 1600 --out src/partreid/tools/body_parts.safetensors

on a processor with bfloat16 units; another one rounds otherwise.
"""

import argparse
import os
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from partreid.body.skeleton import KEYPOINT_MIRROR
from partreid.errors import UserError, run
from partreid.progress import progress
from partreid.storage import chunks, published_weights
from partreid.storage.files import whole
from partreid.storage.workers import spread
from partreid.tools import body_parts, evidence, movenet
from partreid.tools.body_parts_scenes import Shown, harder, mirrored
from partreid.tools.reading import read_original

PIECE = 64  # pictures of a job
OTHERS = 300  # pictures from which other people and things come
HIDDEN = 0.7  # of a person: less to be seen, and the picture is shown twice


def shown(folder: Path, reader: chunks.Reader, row: int) -> Shown:
    """A rendered picture and its truth."""
    path = folder / str(reader.rows("path", np.array([row]))[0])
    image = read_original(path)
    if image is None:
        raise UserError(f"cannot read {path}")
    return Shown(image, *(reader.rows(name, np.array([row]))[0] for name in ("parsing", "person", "keypoints")))


@lru_cache(maxsize=1)
def company(folder: Path) -> list[Shown]:
    """The pictures from which other people and things come."""
    reader = chunks.Reader(folder / "truth.npz")
    count = len(reader.all("path"))
    rows = np.random.default_rng(0).choice(count, min(OTHERS, count), replace=False)
    return [shown(folder, reader, int(row)) for row in rows]


def look(folder: Path, networks: evidence.Networks, first: int, rows: list[int], out: Path) -> None:
    """Write the network's inputs and the truth of a piece of pictures; `first` is the number of its first one."""
    reader = chunks.Reader(folder / "truth.npz")
    made = []
    for number, row in enumerate(rows, first):
        rng = np.random.default_rng([1, number])
        one = harder(shown(folder, reader, row), company(folder), rng)
        one = mirrored(one, KEYPOINT_MIRROR) if rng.random() < 0.5 else one
        given = dict(zip(body_parts.INPUTS, body_parts.inputs(evidence.gather(one.image, networks)), strict=True))
        truth = {"parsing": one.parsing, "keypoints": one.keypoints, "size": np.array(one.image.shape[:2])}
        made.append({**{name: values.astype(np.float16) for name, values in given.items()}, **truth})
    with whole(out) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **{name: np.stack([each[name] for each in made]) for name in made[0]})


def order(folder: Path) -> list[int]:
    """The rows of the truth in the order in which they are shown."""
    visible = chunks.Reader(folder / "truth.npz").all("visible")
    rows = np.concatenate([np.arange(len(visible)), np.flatnonzero(visible < HIDDEN)])
    return np.random.default_rng(5).permutation(rows).tolist()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=1600)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="that look; training takes one")
    parser.add_argument("--work", type=Path, default=Path("tmp/body_parts"), help="where what was seen is kept")
    given = parser.parse_args()
    networks = evidence.Networks(*movenet.files(), published_weights.path("blazepose_full"))
    rows = order(given.folder)
    given.work.mkdir(parents=True, exist_ok=True)
    pieces = {first: given.work / f"{first:06d}.npz" for first in range(0, len(rows), PIECE)}
    jobs = [(first, rows[first : first + PIECE], file) for first, file in pieces.items() if not file.is_file()]
    with progress(len(jobs), "looking", "piece") as bar:
        if jobs:
            work = partial(look, given.folder, networks)
            spread(work, jobs, given.processes, lambda _number, _done: bar.update(), "a process was killed; run again")
    train(list(pieces.values()), given.steps, given.out)


def train(files: list[Path], steps: int, out: Path) -> None:
    """Train on pieces that `look` wrote."""
    from safetensors.numpy import save_file

    from partreid.tools import body_parts_fit as fit

    pieces = [dict(np.load(file, allow_pickle=False)) for file in files]
    every = {name: np.concatenate([piece.pop(name) for piece in pieces]) for name in list(pieces[0])}
    joints = fit.targets(every["keypoints"], every["size"])
    network = fit.train({name: every[name] for name in body_parts.INPUTS}, every["parsing"], joints, steps, seed=0)
    with whole(out) as temporary:
        save_file(fit.folded(network), temporary)
    print(f"{out}: {out.stat().st_size / 1e6:.2f} MB, from {len(joints)} pictures")


if __name__ == "__main__":
    run(main)
