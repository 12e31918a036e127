"""Speed and memory of tool `blazepose` and of the label stages, each against its bare function in the same run.

    python benchmarks/labels.py             both
    python benchmarks/labels.py tool        the tool against its network alone, which is given finished inputs
    python benchmarks/labels.py labels      the label stages against their functions on arrays in memory

Needs the rendered people: `dvc repro data/dvc.yaml:index-synthetic`. Every stage is run by its command line, on an
image table that repeats them, at two sizes: images per second are those of the difference, so that starting, which is
told apart, does not count; memory must not grow with the size. The bare functions run in as many processes, in a plain
loop on one thread, and are timed after their arguments are in memory. Beside the clock, which other work on the
machine disturbs, stands the processor time.

Memory is the sum over the stage's processes, looked at every 20 ms. For the label stages the tool's output is made up
of the renderer's truth, keypoints and masks alone, in the form that blazepose writes: they do not know the difference.
"""

import argparse
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pyarrow as pa
from threadpoolctl import threadpool_limits

from partreid import params
from partreid.errors import UserError
from partreid.labels import LABELS, heads, kmeans, partmaps, pifpaf, poses, schp
from partreid.program import at_least, run
from partreid.storage import cache, chunks, image_table, places, published_weights
from partreid.storage.files import sha256
from partreid.storage.pieces import PIECE
from partreid.tools import blazepose
from partreid.tools.reading import read_original

STAGES = Path(__file__).resolve().parents[1] / "stages"
DATASET = "synthetic"
GOAL = 0.9
DIFFERENT = 128  # images that the tool's table repeats: so many inputs of the network fit into memory
SIZES = {"tool": (128, 1_024), "labels": (2_000, 20_000)}
MEMBERS = ("keypoints", "person")
LOOK = 0.02  # seconds between two looks at the memory
MIB = 2**20

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Used:
    """What a piece of work took."""

    clock: float  # seconds
    processor: float  # seconds, of all its processes
    memory: float = 0.0  # MiB, the peak


@dataclass(frozen=True)
class Rate:
    """Seconds per image."""

    clock: float
    processor: float

    def __str__(self) -> str:
        return f"{1 / self.clock:8,.1f} images/s, {1e3 * self.processor:7.3f} ms of processor time per image"


# --- stages ----------------------------------------------------------------------------------------------------------


def project(folder: Path, table: pa.Table, images: int, different: int) -> None:
    """A project in `folder` whose data set has the table's first `different` images, repeated to `images`."""
    shutil.copy("params.yaml", folder)
    (folder / "data").mkdir(exist_ok=True)
    if not (folder / "data" / DATASET).is_symlink():
        (folder / "data" / DATASET).symlink_to(Path("data", DATASET).resolve())
    repeated = table.take(np.arange(images) % different)
    ids = pa.array(np.arange(images, dtype=np.int32))
    repeated = repeated.set_column(0, table.schema.field("image_id"), ids)
    image_table.write(repeated, folder / places.index(DATASET))


def stage(folder: Path, *command: str) -> Used:
    """Run stages/<command> in `folder`."""
    start = time.perf_counter()
    program = [sys.executable, str(STAGES / command[0]), *command[1:]]
    with tempfile.TemporaryFile() as said:
        running = subprocess.Popen(program, cwd=folder, stdout=said, stderr=subprocess.STDOUT)
        with ThreadPoolExecutor(1) as looking:
            memory = looking.submit(peak, running.pid)
            _, status, usage = os.wait4(running.pid, 0)
        running.returncode = os.waitstatus_to_exitcode(status)
        if running.returncode:
            said.seek(0)
            raise UserError(f"{' '.join(program)} failed: {said.read().decode()[-2_000:]}")
    clock = time.perf_counter() - start
    return Used(clock, usage.ru_utime + usage.ru_stime, memory.result() / MIB)


def peak(pid: int) -> int:
    """Bytes that a process and its descendants have in memory, at most, until it ends."""
    most = 0
    while now := _resident(pid):
        most = max(most, now)
        time.sleep(LOOK)
    return most


def _resident(pid: int) -> int:
    try:
        own = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        children = [task.read_text().split() for task in Path(f"/proc/{pid}/task").glob("*/children")]
    except (OSError, IndexError):  # it has just ended
        return 0
    return own + sum(_resident(int(child)) for several in children for child in several)


def grown(runs: Mapping[int, Used]) -> tuple[Rate, float]:
    """From two runs, images -> what they took: the seconds per image more, and the seconds of starting."""
    (small, first), (large, second) = sorted(runs.items())
    more = large - small
    rate = Rate((second.clock - first.clock) / more, (second.processor - first.processor) / more)
    return rate, first.clock - small * rate.clock


def told(title: str, runs: Mapping[int, Used], bare: Rate) -> Rate:
    """Print what a stage took beside its bare function; returns the stage's."""
    rate, start = grown(runs)
    (small, first), (large, second) = sorted(runs.items())
    growth = 1_024 * (second.memory - first.memory) / (large - small)
    print(f"{title}\n  bare function {bare}\n  stage         {rate}; {start:.1f} s to start")
    print(
        f"  stage / bare: {bare.clock / rate.clock:.2f} by the clock, {bare.processor / rate.processor:.2f} by "
        f"processor time (goal: at least {GOAL})"
    )
    print(
        f"  peak memory: {first.memory:,.0f} MiB at {small:,} images, {second.memory:,.0f} MiB at {large:,}: "
        f"{growth:+.2f} KiB per image",
        flush=True,
    )
    return rate


# --- bare functions --------------------------------------------------------------------------------------------------


def together(work: Callable[..., int], shares: list[tuple[Any, ...]]) -> Rate:
    """work(ready, *share) in a process for each share; it calls ready() when only the loop is left, returns its images.

    Differs from a stage's processes in nothing but the work.
    """
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(len(shares)), context.Queue()
    processes = [context.Process(target=_timed, args=(work, share, barrier, results)) for share in shares]
    for process in processes:
        process.start()
    found = [results.get() for _ in processes]
    for process in processes:
        process.join()
    images, starts, ends, seconds = (list(column) for column in zip(*found, strict=True))
    return Rate((max(ends) - min(starts)) / sum(images), sum(seconds) / sum(images))


def _timed(work: Callable[..., int], share: tuple[Any, ...], barrier: Any, results: Any) -> None:
    at: list[float] = []

    def ready() -> None:
        barrier.wait()
        at.extend((time.monotonic(), time.process_time()))

    images = work(ready, *share)
    results.put((images, at[0], time.monotonic(), time.process_time() - at[1]))


def network(ready: Callable[[], None], paths: list[str], root: Path, looks: int, images: int) -> int:
    """BlazePose's interpreter on the very inputs that the stage gives it for these images, over and over."""
    from ai_edge_litert.interpreter import Interpreter

    model, genuine = published_weights.path("blazepose_full"), blazepose._run
    inputs: list[list[np.ndarray]] = []  # of every image

    def noted(model: Path, square: np.ndarray) -> tuple[np.ndarray, float, np.ndarray]:
        inputs[-1].append(square)
        return genuine(model, square)

    with patch.object(blazepose, "_run", noted):
        for path in paths:
            image = read_original(root / path)
            if image is None:
                raise UserError(f"{root / path} cannot be read")
            inputs.append([])
            blazepose.detect(image, model, looks)
    interpreter = Interpreter(model_path=str(model), num_threads=1)
    interpreter.allocate_tensors()
    place = interpreter.get_input_details()[0]["index"]
    outputs = [output["index"] for output in interpreter.get_output_details()]
    ready()
    for squares in islice(cycle(inputs), images):
        for square in squares:
            interpreter.set_tensor(place, square[None])
            interpreter.invoke()
            for output in outputs:
                interpreter.get_tensor(output)
    return images


def _heads(of: Arrays, *, margin: float, min_score: float) -> None:
    boxes = heads.make(of["keypoints"], of["person"], of["sizes"], min_score=min_score)
    heads.widen(boxes, of["sizes"], margin)


def _poses(of: Arrays, *, centres: np.ndarray, min_score: float) -> None:
    points, counts = poses.normalise(of["keypoints"], of["sizes"][:, 0], min_score)
    poses.assign(points, counts, centres)


BARE: dict[str, Callable[..., Any]] = {
    "heads": _heads,
    "pifpaf": lambda of, **options: pifpaf.make(of["keypoints"], of["person"], of["sizes"], **options),
    "schp": lambda of, **options: schp.make(of["keypoints"], of["person"], of["sizes"], **options),
    "poses": _poses,
    "partmaps": lambda of, **options: partmaps.make(of["keypoints"], of["sizes"], **options),
}


def function(ready: Callable[[], None], label: str, arrays: Arrays, options: dict[str, Any], images: int) -> int:
    """A label's function on arrays (n, ...), as many images at a time as a stage gives it, over and over."""
    n = len(arrays["keypoints"]) // PIECE * PIECE
    blocks = [{name: array[i : i + PIECE] for name, array in arrays.items()} for i in range(0, n, PIECE)]
    rounds = -(-images // PIECE)
    threadpool_limits(1)  # as in a stage's processes
    BARE[label](blocks[0], **options)
    ready()
    for block in islice(cycle(blocks), rounds):
        BARE[label](block, **options)
    return rounds * PIECE


# --- what is measured ------------------------------------------------------------------------------------------------


def tool(p: params.Params, table: pa.Table, sizes: tuple[int, int], processes: int) -> tuple[Rate, Rate]:
    """The bare network's seconds per image, and the stage's."""
    looks, root = p.tools["blazepose"]["looks"], p.root(DATASET).resolve()
    different = min(DIFFERENT, len(table))
    paths = table["path"].to_pylist()[:different]
    shares = [(paths[i::processes], root, looks, sizes[1] // processes) for i in range(processes)]
    runs = {}
    for images in sizes:
        with tempfile.TemporaryDirectory() as folder:
            project(Path(folder), table, images, different)
            runs[images] = stage(Path(folder), "tool.py", "blazepose", DATASET, "--processes", str(processes))
    bare = together(network, shares)
    return bare, told(f"tool blazepose, looks: {looks}", runs, bare)


def labels(
    p: params.Params, table: pa.Table, sizes: tuple[int, int], processes: int, before: tuple[Rate, Rate] | None
) -> None:
    """before: the tool's, where it was measured in the same run."""
    arrays = truth(p.root(DATASET), table)
    runs: dict[str, dict[int, Used]] = {name: {} for name in LABELS}
    for images in sizes:
        with tempfile.TemporaryDirectory() as folder:
            project(Path(folder), table, images, len(table))
            seen(Path(folder), arrays, images)
            for name in LABELS:
                runs[name][images] = stage(Path(folder), "label.py", name, DATASET, "--processes", str(processes))
    for name in LABELS:
        options = dict(p.labels[name].options)
        if name == "poses":
            options["centres"] = centres(arrays, options.pop("clusters"), options["min_score"])
        options = {key: value for key, value in options.items() if key not in LABELS[name].beside}
        shares = [(name, share, options, sizes[1] // processes) for share in split(arrays, processes)]
        rate = told(f"label {name}", runs[name], together(function, shares))
        if before is not None:
            bare, whole = before[0].processor, before[1].processor + rate.processor
            print(f"  tool and label stage together / bare network: {bare / whole:.2f} by processor time", flush=True)


def truth(root: Path, table: pa.Table) -> Arrays:
    """What the renderer knows of the table's images, in its order, and their sizes (height, width)."""
    reader = chunks.Reader(root / "truth.npz")
    row_of = {path: row for row, path in enumerate(reader.all("path").tolist())}
    rows = np.array([row_of[path] for path in table["path"].to_pylist()])
    sizes = np.stack([table["height"].to_numpy(), table["width"].to_numpy()], 1)
    return {**{name: reader.rows(name, rows) for name in MEMBERS}, "sizes": sizes}


def seen(folder: Path, arrays: Arrays, images: int) -> None:
    """Write the output of a tool that says this of `images` images, over and over."""
    index = folder / places.index(DATASET)
    head = {**cache.header("tool/blazepose", "blazepose", "made up", None, {}, sha256(index)), "gives": list(MEMBERS)}

    def pieces() -> Iterator[Arrays]:
        for first in range(0, images, chunks.CHUNK):
            rows = np.arange(first, min(first + chunks.CHUNK, images)) % len(arrays["sizes"])
            here = {name: arrays[name][rows] for name in MEMBERS}
            yield {"status": np.zeros(len(rows), np.uint8), "score": np.ones(len(rows), np.float32), **here}

    path = folder / f"data/tools/blazepose/{DATASET}.npz"
    chunks.write(path, cache.counted(head, np.zeros(images, np.uint8)), pieces())


def centres(arrays: Arrays, clusters: int, min_score: float) -> np.ndarray:
    """Of the pose clusters."""
    points, counts = poses.normalise(arrays["keypoints"], arrays["sizes"][:, 0], min_score)
    return kmeans.fit(points[counts.any(1)], counts[counts.any(1)], clusters)


def split(arrays: Arrays, parts: int) -> list[Arrays]:
    """Arrays (N, ...) in so many parts."""
    return [{name: array[i::parts] for name, array in arrays.items()} for i in range(parts)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=sorted(SIZES), help="default: both")
    parser.add_argument(
        "--images",
        type=at_least(1),
        nargs=2,
        metavar=("SMALL", "LARGE"),
        help="default: " + "; ".join(f"{what} {small} {large}" for what, (small, large) in SIZES.items()),
    )
    parser.add_argument("--processes", type=at_least(1), default=os.cpu_count() or 1)
    given = parser.parse_args()
    if given.images and (given.what is None or not 0 < given.images[0] < given.images[1]):
        raise UserError("--images are two numbers, the smaller first, for `tool` or for `labels`")
    p = params.load()
    other = [f"labels.{name}.tool" for name in LABELS if p.labels[name].tool != "blazepose"]
    if p.labels["schp"].options["person"] != "blazepose":
        other.append("labels.schp.person")
    if given.what != "tool" and other:
        raise UserError(f"{other[0]} in params.yaml must be blazepose here")
    table = image_table.read(places.index(DATASET))
    sizes = {name: tuple(given.images) if given.images else SIZES[name] for name in SIZES}
    print(f"{given.processes} processes; tool: {sizes['tool']} images; labels: {sizes['labels']} images", flush=True)
    before = None
    if given.what != "labels":
        before = tool(p, table, sizes["tool"], given.processes)
    if given.what != "tool":
        labels(p, table, sizes["labels"], given.processes, before)


if __name__ == "__main__":
    run(main)
