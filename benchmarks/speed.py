"""What every method costs, measured in one run: size, images per second in training and test, labels per image.

Usage: python benchmarks/speed.py [--models bot mpn ...] [--dataset NAME] [-S PATH=VALUE ...] [--batch 64] [--rounds 3]
    [--images 64]

Every method as params.yaml has it (recipe, values), with random weights and made-up images and labels of the recipe's
size, in memory before the clock starts: the network alone, without reading images. A training step includes what the
method does at the beginning of an epoch, for as many images. The methods take turns; the fastest of the rounds counts.
Labels: seconds per image, one process, of every tool that the methods' labels come from, and of the label's own stage
on top, on the first images of the data set. That needs the tools' output: `dvc repro data/dvc.yaml:<label>@<data set>`.
What a label finds out once about the whole data set, as the clusters of `poses`, is shared out among its images. Not
timed are programs of their own, and imports of what a tool wrote elsewhere.

On a machine that does other work only the ratios mean something, and they are noisy too.
Writes results/compare/<data set>/speed.json, which the leaderboard of `make compare` reads.
"""

import argparse
import time
from collections.abc import Iterable, Sequence

import torch

from partreid import memory, methods, pretraining
from partreid.errors import choose
from partreid.experiments import check, costs, leaderboard, overrides, speed_file
from partreid.experiments.speed_file import Cost
from partreid.experiments.timing import best
from partreid.inputs.batch import Batch
from partreid.labels import LABELS, native
from partreid.methods.base import Method
from partreid.params import Params, Recipe
from partreid.program import at_least, run
from partreid.storage import image_table, places
from partreid.storage.files import sha256, write_json
from partreid.storage.pieces import Program, Work
from partreid.storage.revision import revision, short
from partreid.tools import TOOLS
from partreid.tools.base import Images
from partreid.training.precision import device_of, precision_of

Seconds = dict[str, float | None]  # per image; None where a program of its own does the work
WARM = 4  # images before the clock starts: models are loaded, memory is allocated


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=list(methods.METHODS))
    overrides.arguments(parser)
    parser.add_argument("--batch", type=at_least(8), default=64, help="images in a step, four of each person")
    parser.add_argument("--rounds", type=at_least(1), default=3)
    parser.add_argument("--images", type=at_least(1), default=64, help="of the data set, for the labels")
    given = parser.parse_args()
    memory.keep()  # as training and test do
    _, _, p = overrides.asked(given)
    dataset = p.dataset
    check.names(p)
    device = device_of(p.train.device)
    where = torch.cuda.get_device_name() if device.type == "cuda" else f"the CPU, threads: {torch.get_num_threads()}"
    print(f"{where}, recipe {p.recipe}, batch {given.batch}, best of {given.rounds} rounds", flush=True)

    built = {name: build(p, name, given.batch) for name in dict.fromkeys(given.models)}
    learned = {name: pretraining.labels_of(method) for name, (method, _) in built.items()}
    costing = labels(p, dataset, {kind for kinds in learned.values() for kind in kinds}, given.images)
    seconds = network(p, built, given.batch, given.rounds, device)
    found = {}
    for name, (method, recipe) in built.items():
        found[name] = Cost(
            *costs.size(method, made_up(p, method, recipe, 2, device)),
            train=given.batch / seconds[f"train {name}"],
            test=given.batch / seconds[f"test {name}"],
            label=total(costing[each] for each in sources(p, learned[name])),
            labels=learned[name],
            labels_at_test=list(method.labels_at_test),
        )
    print(leaderboard.grid(leaderboard.cost(found, where)))
    path = speed_file.file(dataset)
    about = {"device": where, "revision": short(revision()), "batch": given.batch, "rounds": given.rounds}
    write_json(path, speed_file.measured(about, p, found))
    print(f"wrote {path}")


def build(p: Params, name: str, batch: int) -> tuple[Method, Recipe]:
    """A method as training builds it, with random weights and as many persons as the batch has."""
    recipe, options = p.recipe_of(name)
    torch.manual_seed(0)
    method = methods.build(name, backbone=recipe.backbone, identities=-(-batch // 4), **options)
    method.use(**p.at_test.get(name, {}))
    return method, recipe


def network(
    p: Params, built: dict[str, tuple[Method, Recipe]], batch: int, rounds: int, device: torch.device
) -> dict[str, float]:
    """Seconds of "train <name>" and "test <name>" for a batch, the methods taking turns."""
    steps = {}
    for name, (method, recipe) in built.items():
        method.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        images = made_up(p, method, recipe, batch, device)
        mixed = precision_of(p.train.precision, device, recipe.backbone).mixed
        steps[f"train {name}"] = costs.training_step(method, recipe, images, mixed)
        steps[f"test {name}"] = costs.embedding_step(method, images, mixed)
    best(1, steps)  # the first call allocates
    return best(rounds, steps)


def made_up(p: Params, method: Method, recipe: Recipe, size: int, device: torch.device) -> Batch:
    """A batch for a method, on the device."""
    clusters = p.labels["poses"].options["clusters"]
    return costs.made_up(method, size, recipe.height, recipe.width, clusters=clusters).to(device)


def sources(p: Params, kinds: Sequence[str]) -> dict[str, None]:
    """Labels and the tools that they are made from, by name, each once."""
    found: dict[str, None] = {}
    for kind in kinds:
        block = p.labels[kind]
        tools = [block.tool, *(block.options[member] for member in LABELS[kind].beside)]
        found |= dict.fromkeys([*(f"tool {tool}" for tool in tools), f"label {kind}"])
    return found


def labels(p: Params, dataset: str, kinds: Iterable[str], images: int) -> Seconds:
    """Seconds per image of "tool <name>" and "label <name>", on the data set's first images."""
    wanted = sources(p, sorted(kinds))
    if not wanted:
        return {}
    file = places.index(dataset)
    table = image_table.read(file)
    seen = Images(dataset, table, sha256(file), p.root(dataset), file)
    found: Seconds = {}
    for source in wanted:
        kind, name = source.split(" ")
        of = of_tool if kind == "tool" else of_label
        seconds = found[source] = of(p, name, seen, min(images, len(table)))
        print(f"{source}: " + ("not timed" if seconds is None else f"{1e3 * seconds:.2f} ms"), flush=True)
    return found


def of_tool(p: Params, name: str, seen: Images, images: int) -> float | None:
    """Seconds per image of a tool's work; None where all that it does here is to import or to start a program."""
    tool = choose(TOOLS, name, "tool")
    if name == "alphapose" or name.endswith("_files"):  # before `build`, in which alphapose may run for hours
        return None
    _, work = tool.build(seen, **p.tools[name])
    return None if isinstance(work, Program) else each(work, images)


def of_label(p: Params, name: str, seen: Images, images: int) -> float:
    """Seconds per image of a label's work, with its share of what is done once for the whole data set."""
    block = p.labels[name]
    start = time.perf_counter()
    _, work = native.build(name, block.tool, seen.dataset, seen.table, seen.file, block.options)
    return (time.perf_counter() - start) / len(seen.table) + each(work, images)


def each(work: Work, images: int) -> float:
    """Seconds per image of a tool's or a label's work."""
    work(0, min(WARM, images))
    start = time.perf_counter()
    work(0, images)
    return (time.perf_counter() - start) / images


def total(seconds: Iterable[float | None]) -> float | None:
    """The sum, or None if a part of it is not known."""
    known = list(seconds)
    return None if None in known else sum(s for s in known if s is not None)


if __name__ == "__main__":
    run(main)
