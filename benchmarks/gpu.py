"""How fast the device at hand trains and embeds, all methods at their papers' sizes, within a given time.

Usage: python benchmarks/gpu.py --out FOLDER [--minutes 9] [--models bpbreid bot ...] [--small]

Random weights, and a made-up training set: random pixels in a mapped file as training has them, random labels of the
real ones' sizes. For each method and way of stepping (train.compile: auto, on, off), each in a
process of its own, so that whatever one breaks costs the others nothing:

    bare            images/s of steps on one batch that already lies on the device
    fed             images/s of steps on batches from the pixel file, as in training; ratio = fed / bare
    host_ms         CPU milliseconds per image of making the batches, everything on the host, measured alone
    main_ms         of these, what is left to the main thread; process_ms: all that the process used while it was fed
    embed           images/s of the test, 64 at a time, on images that lie on the device
    peak_gib        memory of the device while training
    begin_epoch     images/s of what the method does with the whole set before an epoch, where it does anything
    market_minutes  what a training of the recipe's epochs on Market-1501's 12,936 images would take at `fed`
    steps           what was done with a step, and why not more

FOLDER/gpu.json is written anew after every measurement, the most important first. --small: small networks and images,
for a try on the CPU.
"""

import argparse
import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from partreid import methods, params
from partreid.inputs.batch import Batch
from partreid.inputs.heads import in_shares
from partreid.inputs.kinds import HEADS, Label
from partreid.inputs.pixels import Mapped
from partreid.methods.base import Learner, Method
from partreid.params import Recipe
from partreid.program import at_least, run
from partreid.storage.files import writable, write_json
from partreid.training import precision as arithmetic
from partreid.training.data import Augmentation, Source, TrainingSet, order, parcels, persons
from partreid.training.feed import feed
from partreid.training.step import WARM, Step, optimizer_of, own_stream, ways

MODELS = ("bpbreid", "bot", "mpn", "pah", "pcb", "fsam", "pabr")
COMPILED = ("bpbreid", "bot", "mpn", "pcb")
MARKET = 12_936  # training images of Market-1501
IDENTITIES, EACH = 64, 16  # persons of the made-up set, and images of each; classifiers are as wide as Market's
CLASSES = 751
HEAD = {"x0": 40.0, "y0": 5.0, "x1": 80.0, "y1": 45.0}  # in pixels of an image of 256 x 128
SECONDS = 4.0  # a measurement takes about as long
LEAST = 25.0  # seconds that must be left for another measurement
COMPILING = 150.0  # and for one that compiles


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=at_least(0, float), default=9.0)
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=MODELS)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--one", nargs=2, metavar=("MODEL", "COMPILE"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measured(given.one[0], given.one[1], given.small)))
        return
    writable(given.out / "gpu.json")
    end = time.monotonic() + 60 * given.minutes
    found: dict[str, Any] = {"device": device_name(), "torch": torch.__version__, "cores": os.cpu_count()}
    found |= {"small": given.small, "measured": []}
    for name, compiling in plan(given.models):
        left = end - time.monotonic()
        if left < (COMPILING if compiling == "on" else LEAST) and not given.small:
            found["measured"].append({"model": name, "compile": compiling, "left_out": "no time left"})
        else:
            found["measured"].append(apart(name, compiling, given.small, left))
        print(json.dumps(found["measured"][-1]), flush=True)
        write_json(given.out / "gpu.json", found)


def plan(models: Sequence[str]) -> list[tuple[str, str]]:
    """What is measured, in this order: method and way of stepping."""
    first = [(name, "auto") for name in models]
    more = [(name, "on") for name in models if name in COMPILED]
    return [*first, *more, *((name, "off") for name in models)]


def apart(name: str, compiling: str, small: bool, seconds: float) -> dict[str, Any]:
    """A measurement in a process of its own; what went wrong, if anything did."""
    about = {"model": name, "compile": compiling}
    start = time.monotonic()
    command = [sys.executable, __file__, "--out", ".", "--one", name, compiling, *["--small"] * small]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=max(seconds, 10), check=False)
    except subprocess.TimeoutExpired:
        return {**about, "error": f"not done after {seconds:.0f} s"}
    about["seconds"] = str(round(time.monotonic() - start, 1))
    if done.returncode:
        return {**about, "error": done.stderr.strip()[-1500:]}
    return {**about, **json.loads(done.stdout.strip().splitlines()[-1])}


def device_name() -> str:
    """Of the GPU, or how many threads the CPU's are."""
    return torch.cuda.get_device_name() if torch.cuda.is_available() else f"CPU, {torch.get_num_threads()} threads"


def measured(name: str, compiling: str, small: bool) -> dict[str, Any]:
    """See above."""
    project = Path(__file__).resolve().parents[1]
    p = replace(params.load(project / "params.yaml"), recipe="laptop" if small else "paper")
    recipe, options = p.recipe_of(name)
    if small:
        recipe = replace(recipe, height=64, width=32, ids_per_batch=4, images_per_id=2)
    device = arithmetic.device_of("auto")
    precision = arithmetic.precision_of("auto", device, recipe.backbone)
    arithmetic.apply(precision.name, device)
    torch.manual_seed(0)
    method = methods.build(name, backbone=recipe.backbone, identities=CLASSES, **options)
    method.begin_training()
    method.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    method.mixed = precision.mixed
    compiled, graphed = ways(compiling, device)
    step = Step(method.train(), optimizer_of(method, recipe), compiled=compiled, graphed=graphed)
    found: dict[str, Any] = {"precision": precision.name, "size": [recipe.height, recipe.width]}
    found |= {"backbone": recipe.backbone}
    with tempfile.TemporaryDirectory() as folder, own_stream(device):
        source = made_up(Path(folder), method, recipe)
        found |= training(method, step, source, recipe, device, 0.1 if small else SECONDS)
        found |= {"steps": step.how}
        found |= embedding(method, next(batches(source, recipe, device, method)), 0.1 if small else SECONDS)
    return found


def training(
    method: Learner, step: Step, source: Source, recipe: Recipe, device: torch.device, seconds: float
) -> dict[str, Any]:
    """The figures of training steps."""
    size = recipe.ids_per_batch * recipe.images_per_id
    found: dict[str, Any] = {"batch": size}
    took = timed(lambda: method.begin_epoch(0, persons(source)), device)
    if method.made:
        found["begin_epoch"] = len(source.data.pid) / took
    with closing(feed(hosted(source, recipe, device), device, method.reads_clean)) as ready:
        batch = next(ready)
        start = time.monotonic()
        for _ in range(WARM + 2):
            value = step(batch)
        loss = float(value[0])  # waits
        found["first_steps_seconds"] = time.monotonic() - start
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    # the clock of a step, so that each measurement takes about `seconds`
    count = max(3, int(seconds / max(timed(lambda: [step(batch) for _ in range(3)], device) / 3, 1e-4)))
    found["bare"] = size * count / timed(lambda: [step(batch) for _ in range(count)], device)

    def fed() -> None:
        with closing(feed(hosted(source, recipe, device), device, method.reads_clean)) as ready:
            for batch in islice(ready, count):
                step(batch)

    process, thread = time.process_time(), time.thread_time()
    found["fed"] = size * count / timed(fed, device)
    found["process_ms"] = 1000 * (time.process_time() - process) / (size * count)
    found["main_ms"] = 1000 * (time.thread_time() - thread) / (size * count)
    found["ratio"] = found["fed"] / found["bare"]
    found["market_minutes"] = MARKET * recipe.repeats * recipe.epochs / found["fed"] / 60
    process = time.process_time()
    for _ in islice(hosted(source, recipe, device), min(count, 50)):
        pass
    found["host_ms"] = 1000 * (time.process_time() - process) / (size * min(count, 50))
    found["loss"] = [loss, float(step(batch)[0])]
    if device.type == "cuda":
        found["peak_gib"] = torch.cuda.max_memory_allocated() / 2**30
    return found


def embedding(method: Method, batch: Batch, seconds: float) -> dict[str, Any]:
    """The figures of the test."""
    method.eval()
    gc.collect()

    def embed(count: int) -> None:
        with torch.inference_mode():
            for _ in range(count):
                method.embed(batch)

    embed(3)
    device = batch.images.device
    count = max(3, int(seconds / max(timed(lambda: embed(3), device) / 3, 1e-4)))
    return {"embed": len(batch.pid) * count / timed(lambda: embed(count), device)}


def timed(work: Callable[[], object], device: torch.device) -> float:
    """Seconds until the device has done the work."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    start = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def hosted(source: Source, recipe: Recipe, device: torch.device) -> Iterator[Any]:
    """Parcels of one epoch after another, without end."""
    a = recipe
    augmentation = Augmentation(a.height, a.width, a.flip, a.pad, a.erase, a.erase_fill, a.jitter)
    for epoch in range(1_000_000):
        rows = order(
            source.data,
            ids_per_batch=a.ids_per_batch,
            images_per_id=a.images_per_id,
            sampler=a.sampler,
            repeats=1,
            batches_per_epoch=0,
            seed=0,
            epoch=epoch,
        )
        yield from parcels(source, augmentation, rows, 0, epoch, pinned=device.type == "cuda")


def batches(source: Source, recipe: Recipe, device: torch.device, method: Learner) -> Iterator[Batch]:
    """Batches of 64 images, for the test; the recipe's own where images are small."""
    wide = recipe if recipe.height < 128 else replace(recipe, ids_per_batch=16, images_per_id=4)
    with closing(feed(hosted(source, wide, device), device, method.reads_clean)) as ready:
        yield from ready


def made_up(folder: Path, learner: Learner, recipe: Recipe) -> Source:
    """A training set of random images with labels of the sizes that params.yaml gives the real ones."""
    rng = np.random.default_rng(0)
    N = IDENTITIES * EACH
    members: dict[str, Callable[[], dict[str, np.ndarray]]] = {
        "pifpaf": lambda: {"fields": rng.integers(0, 256, (N, 36, 33, 17), dtype=np.uint8)},
        "schp": lambda: {
            "parsing": rng.integers(0, 7, (N, 128, 64), dtype=np.uint8),
            "person": rng.integers(0, 256, (N, 128, 64), dtype=np.uint8),
        },
        "poses": lambda: {"clusters": np.eye(3, dtype=np.uint8)[rng.integers(0, 3, N)]},
        "partmaps": lambda: {"maps": rng.random((N, 57, 20, 10), dtype=np.float32).astype(np.float16)},
        HEADS: lambda: {name: np.full(N, place) for name, place in HEAD.items()},
    }
    kinds = {*learner.labels, *getattr(learner, "labels_at_test", ())}
    labels = {kind: Label(members[kind](), np.ones(N, bool)) for kind in sorted(kinds)}
    sizes = np.full((N, 2), (256, 128))
    data = TrainingSet(folder, [""] * N, np.arange(N) // EACH, labels, [""] * N, sizes)

    def pixels(name: str) -> Mapped:
        shape = (N, recipe.height, recipe.width, 3)
        with (folder / name).open("wb") as file:
            for _ in range(N):
                file.write(rng.bytes(recipe.height * recipe.width * 3))
        return Mapped(folder / name, shape)

    if HEADS not in labels:
        return Source(data, pixels("images"))
    boxes = in_shares(np.full((N, 4), list(HEAD.values())), sizes)
    return Source(data, pixels("images"), pixels(HEADS), boxes)


if __name__ == "__main__":
    run(main)
