"""Methods, or the rows of a paper's table, trained, embedded and evaluated without DVC, several at once if asked to.

Usage: python benchmarks/methods.py --out FOLDER [--models bot mpn ... | --table PAPER TABLE [--rows NAME ...]]
    [--seeds 1 2 3] [--dataset NAME] [-S PATH=VALUE ...] [--jobs N] [--minutes N]

For machines where DVC is not, and where starting a process for every stage would cost more than some stages: each run
is one process. It runs the stages' own programs (stages/pretrain.py, train.py, embed.py, evaluate.py) with params.yaml
as it is, changed by the row, -S and the seed, on a data set whose index and labels are there: `dvc repro
data/dvc.yaml:<label>@<data set>` makes them. What DVC's cache would share is made once here too: what several runs
start from (a pre-training with the same values and seed) before them, and the training of rows that differ in `at_test`
alone by the first of them, whose weights the others then take. Unlike DVC it does not see whether a label, or the file
of train.start_from, is another than when a folder was begun: with others take another FOLDER.

FOLDER/<name>-s<seed>-<digest of its values>/ is a run, with params.yaml, runs/ and results/ of its own; data/ and
weights/ are those of the project, the folder that this is started in. FOLDER/results.jsonl grows by one line after
every stage (run, stage, seconds) and after every run (its metrics by protocol, 0..1, and its training's budget and last
cross-entropy), so that whatever ends the program loses the rest only; what was finished in the same FOLDER with the
same values is not done again. FOLDER/table.md: all that has been measured of what was asked for. --jobs: how many run
at once, all rows of the first seed first; each then writes to output.txt in its folder. --minutes: nothing is begun
after that time.
"""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from partreid import methods, params
from partreid.errors import UserError, choose
from partreid.experiments import ablation, dvc, overrides, queue
from partreid.experiments.ablation import Row, Table
from partreid.methods.base import meet
from partreid.methods.start import there
from partreid.program import at_least, run
from partreid.storage import places
from partreid.storage.files import fingerprint, write_text

STAGES = Path(__file__).resolve().parents[1] / "stages"
RECORD = "results.jsonl"


@dataclass(frozen=True)
class Run:
    """name: the row's or the method's. stages: the run's own. starts: pre-training -> folder it is made in.

    training: the same for two runs whose training gives the same weights. trained_in: the folder of the run whose
    training this one takes; None where it trains itself.
    """

    name: str
    seed: int
    folder: Path
    values: dict[str, Any]
    stages: Sequence[tuple[str, Sequence[str], str]]
    starts: dict[str, Path]
    training: str
    trained_in: Path | None = None

    @property
    def label(self) -> str:
        """In words."""
        return f"{self.name}, seed {self.seed}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--models", nargs="+", default=list(methods.METHODS))
    parser.add_argument("--table", nargs=2, metavar=("PAPER", "TABLE"), help="of ablations.yaml, in place of --models")
    parser.add_argument("--rows", nargs="+", metavar="NAME", help="some of the table's rows, all by default")
    parser.add_argument("--seeds", nargs="+", type=at_least(0), default=[1])
    parser.add_argument("--jobs", type=at_least(1), default=1)
    parser.add_argument("--minutes", type=at_least(1))
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    overrides.arguments(parser)
    given = parser.parse_args()
    if given.one:
        here(*given.one)
        return
    began = time.monotonic()
    values, changes, p = overrides.asked(given)
    there(p.train.start_from)
    table = chosen(given)
    ablation.undisputed(table, changes)
    runs = [
        planned(given.out.resolve(), values, changes, table, row, seed)
        for seed in dict.fromkeys(given.seeds)
        for row in table.rows
    ]
    before = {each.folder: each for run in runs for each in pretrainings(run)}
    for groups in ([[each] for each in before.values()], by_training(runs)):
        with ThreadPoolExecutor(given.jobs) as pool:
            list(pool.map(lambda some: one_by_one(some, given.jobs, began, given.minutes), groups))
    written(given.out, table, runs, p.dataset)


def chosen(given: argparse.Namespace) -> Table:
    """The paper's table, or one with a row for each method."""
    if given.table:
        return ablation.read(Path("ablations.yaml"), *given.table).only(given.rows)
    if given.rows:
        raise UserError("--rows are those of a --table")
    known = {name: Row(name, {}, {}, name) for name in methods.METHODS}
    rows = [choose(known, name, "model") for name in dict.fromkeys(given.models)]
    return Table("", "methods", "Methods", "", rows)


def planned(out: Path, values: dict[str, Any], changes: overrides.Changes, table: Table, row: Row, seed: int) -> Run:
    """What a row's seed needs. UserError where params.yaml does not have what it changes, or cannot train it so."""
    if made := [path for path in row.values if path.startswith("labels.")]:
        raise UserError(
            f"{row.name} sets {made[0]}, and labels are made before this starts: change it in params.yaml, make the "
            "label and run the method with --models, or use `make ablation`, which does all of it"
        )
    base = overrides.changed(values, changes)
    wanted = overrides.changed(base, ablation.experiment(base, table, row, seed))
    p = params.parse(wanted)
    recipe, options = p.recipe_of(p.model)
    method = methods.outline(p.model, backbone=recipe.backbone, **options)
    meet(method, recipe.images_per_id, p.model, p.recipe)
    befores = dict.fromkeys(method.starts_from.values())
    starts = {by: out / f"pretrain-{by}-{like(p, *p.pretraining_of(by))}" for by in befores}
    files = places.Run(p.model, p.dataset, p.dataset)
    return Run(
        row.name,
        seed,
        out / queue.Experiment(f"{row.name}-s{seed}", {}, wanted).identifier,
        wanted,
        [
            ("train", (p.model, p.dataset), str(files.weights)),
            ("embed", (p.model, p.dataset), str(files.embeddings)),
            ("evaluate", (), str(files.metrics)),
        ],
        starts,
        like(p, recipe, options, p.model, *(folder.name for folder in starts.values())),
    )


def like(p: params.Params, recipe: params.Recipe, options: dict[str, Any], *beside: str) -> str:
    """The same for two trainings that give the same weights. beside: what it is and starts from, if that may differ."""
    return fingerprint(p.dataset, p.recipe, asdict(recipe), options, asdict(p.train), *beside)


def by_training(runs: Sequence[Run]) -> list[list[Run]]:
    """The runs by their training, in the order of the first of each, which trains for the others."""
    groups: dict[str, list[Run]] = {}
    for each in runs:
        groups.setdefault(each.training, []).append(each)
    return [[first, *(sharing(first, each) for each in others)] for first, *others in groups.values()]


def sharing(first: Run, run: Run) -> Run:
    """The run with the training of the first."""
    return replace(run, stages=[stage for stage in run.stages if stage[0] != "train"], trained_in=first.folder)


def pretrainings(run: Run) -> list[Run]:
    """What a run starts from, as runs."""
    dataset = run.values["dataset"]
    found = []
    for by, folder in run.starts.items():
        weights = places.pretraining(by, dataset) / "weights.safetensors"
        stage = ("pretrain", (by, dataset), str(weights))
        found.append(Run(f"pretrain-{by}", run.seed, folder, run.values, [stage], {}, folder.name))
    return found


def one_by_one(runs: Sequence[Run], jobs: int, began: float, minutes: int | None) -> None:
    """Do runs of which the later ones take what the first has trained."""
    for each in runs:
        apart(each, jobs, began, minutes)


def apart(run: Run, jobs: int, began: float, minutes: int | None) -> None:
    """Do a run in a process of its own, unless the time is over."""
    if minutes and time.monotonic() - began > 60 * minutes:
        print(f"{minutes} minutes are over: {run.label} is left out")
        return
    prepared(run)
    command = [sys.executable, __file__, "--out", ".", "--one", run.name, str(run.seed), json.dumps(run.stages)]
    environment = dvc.shared(jobs)
    screen = nullcontext()  # as None, subprocess's own word for it
    with screen if jobs == 1 else (run.folder / "output.txt").open("a", encoding="utf-8") as said:
        done = subprocess.run(command, cwd=run.folder, check=False, env=environment, stdout=said, stderr=said)
    print(f"{run.label}: {f'failed, {run.folder}' if done.returncode else 'done'}", flush=True)


def prepared(run: Run) -> None:
    """Make a run's folder: its params.yaml, and links to what it shares with the project and with other runs.

    Runs share decoded pixels and, where there are several, who has which GPU (training.cards).
    """
    (run.folder / "runs").mkdir(parents=True, exist_ok=True)
    (run.folder / "tmp").mkdir(exist_ok=True)
    (run.folder / "params.yaml").write_text(yaml.safe_dump(run.values, sort_keys=False), encoding="utf-8")
    shared = {run.folder / name: Path(name).resolve() for name in ("data", "weights")}
    dataset = run.values["dataset"]
    links = [(places.pretraining(by, dataset), folder) for by, folder in run.starts.items()]
    if run.trained_in is not None:
        files = places.Run(run.values["model"], dataset, dataset)
        (run.folder / files.folder).mkdir(exist_ok=True)  # of its own, for its embeddings
        links += [(file, run.trained_in) for file in (files.weights, files.training)]
    shared |= {run.folder / name: folder / name for name, folder in links}
    for name in ("tmp/pixels", "tmp/cards"):
        shared[run.folder / name] = run.folder.parent / name
        shared[run.folder / name].mkdir(parents=True, exist_ok=True)
    for link, target in shared.items():
        if not link.exists():  # an earlier call, of other rows, may have trained here
            link.unlink(missing_ok=True)  # or led to what was never finished
            link.symlink_to(target)


def here(name: str, seed: str, stages: str) -> None:
    """Do in this folder what is not yet done of a run's stages."""
    record = Path("..", RECORD)
    p = params.load()
    about = {"run": name, "seed": int(seed), "method": p.model}
    for stage, arguments, product in json.loads(stages):
        if Path(product).is_file():
            continue
        start = time.monotonic()
        try:
            program(stage, arguments)
        except Exception as error:
            add(record, {**about, "stage": stage, "error": f"{type(error).__name__}: {error}"})
            raise
        add(record, {**about, "stage": stage, "seconds": round(time.monotonic() - start, 2)})
        if stage == "evaluate":
            metrics = json.loads(Path(product).read_text(encoding="utf-8"))
            files = places.Run(p.model, p.dataset, p.dataset)
            training = json.loads(files.training.read_text(encoding="utf-8"))
            add(record, {**about, "dataset": p.dataset, "recipe": p.recipe, "metrics": metrics, "training": training})


def program(stage: str, arguments: Sequence[str]) -> None:
    """Run a stage's program in this process, as if it had been started with the arguments."""
    path = STAGES / f"{stage}.py"
    spec = importlib.util.spec_from_file_location(f"stage_{stage}", path)
    if spec is None or spec.loader is None:
        raise ImportError(path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    before = sys.argv
    sys.argv = [str(path), *arguments]
    try:
        module.main()
    finally:
        sys.argv = before


def add(record: Path, line: dict[str, Any]) -> None:
    """Append a line of JSON, at once, since several processes write here."""
    file = os.open(record, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(file, f"{json.dumps(line)}\n".encode())
    finally:
        os.close(file)


def written(out: Path, table: Table, runs: Sequence[Run], dataset: str) -> None:
    """Write and print the table of what there is."""
    results: dict[str, list[Any]] = {}
    for each in runs:
        metrics = each.folder / each.stages[-1][-1]
        if metrics.is_file():
            results.setdefault(each.name, []).append(json.loads(metrics.read_text(encoding="utf-8")))
    text = ablation.text(table, results, len({each.seed for each in runs}), dataset)
    write_text(out / "table.md", text)
    print(f"\n{text}\nwrote {out / 'table.md'}")
    if missing := [each.label for each in runs if not (each.folder / each.stages[-1][-1]).is_file()]:
        raise UserError(f"no result of {'; '.join(missing)}: {out / RECORD} and the runs' own output say why")


if __name__ == "__main__":
    run(main)
