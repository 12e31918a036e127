"""Train and evaluate all methods on a data set through DVC's queue, and write one leaderboard.

Usage: python stages/compare.py [--models bot mpn ...] [--dataset NAME] [--seeds 1 2 3] [-S PATH=VALUE ...] [--jobs 1]
    [--dry]
For example `make compare dataset=market1501 seeds="1 2" set="recipes.laptop.epochs=8"`; everything else is as
params.yaml has it. Several jobs, which run at once, share the processors.

Runs that `dvc exp show` lists with the same values, code and image table are not run again, so a second call takes up
what the first left; `dvc queue logs` shows what the worker is doing. Experiments belong to a commit; after a new one
they are queued again, and DVC's run cache gives back every stage that it left as it was. Ctrl-C stops the worker too; a
training goes on from its last epoch.
The methods' labels are made first, by `dvc repro`. Costs are measured last, when nothing else runs, by
benchmarks/speed.py; again only if params.yaml or the code says something else of a method, or speed.json is deleted.
Writes leaderboard.md, .csv and .html, accuracy.png and cost.png to results/compare/DATASET/, of whatever has run. With
--models they hold those methods alone, also where they held more before.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from partreid import params
from partreid.errors import UserError, choose
from partreid.experiments import dvc, overrides, queue
from partreid.experiments.overrides import Changes
from partreid.program import at_least, run
from partreid.storage.files import write_bytes, write_text
from partreid.storage.places import index_stage
from partreid.storage.revision import revision, short

if TYPE_CHECKING:  # torch and matplotlib are imported where they are needed: --help and most mistakes show without them
    from partreid.experiments.leaderboard import Board
    from partreid.experiments.speed_file import Cost


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", metavar="NAME", help="all by default")
    queue.arguments(parser, seeds=[1, 2, 3])
    parser.add_argument("--jobs", type=at_least(1), default=1, help="how many run at once, sharing the processors")
    given = parser.parse_args()
    from partreid.experiments import additions, check, leaderboard, published
    from partreid.experiments.leaderboard import Board, Entry
    from partreid.experiments.particulars import otherwise
    from partreid.methods import METHODS

    models, seeds = list(dict.fromkeys(given.models or METHODS)), list(dict.fromkeys(given.seeds))
    for name in models:
        choose(METHODS, name, "model")

    values, changes, p = overrides.asked(given)
    dataset = p.dataset
    check.names(p)
    additions.protocols_of(p)
    for warning in additions.recipe_blocks(p, models):
        print(f"warning: {warning}", file=sys.stderr)
    runs = {
        (model, seed): queue.experiment(
            f"compare-{model}-{dataset}-s{seed}", values, {**changes, "model": model, "train.seed": seed}
        )
        for seed in seeds  # a whole table early, then a better one
        for model in models
    }
    wanted = ready(p, models)
    recipe = overrides.recipe(p, changes)
    title = f"{leaderboard.compared(models)} on {dataset}, recipe {recipe}"
    found = queue.complete(list(runs.values()), title, before=lambda: dvc.repro(wanted), jobs=given.jobs, dry=given.dry)
    if found is None:
        return

    results = dict(zip(runs, found, strict=True))
    trained = dict(zip(runs, queue.trainings(list(runs.values())), strict=True))
    costs, device, problem = costs_of(p, models, changes, wanted)
    entries = [
        Entry(model, of_model(results, model), costs.get(model), of_model(trained, model), otherwise(p, model))
        for model in models
    ]
    board = Board(dataset, recipe, seeds, short(revision()), entries, [], device)
    papers = published.of(published.read(Path("published.yaml")), dataset, board.protocols, models)
    write(replace(board, published=papers), overrides.command(p, changes), Path(f"results/compare/{dataset}"))
    queue.all_there(list(runs.values()), found)
    if problem:
        raise problem


def of_model(by_run: Mapping[tuple[str, int], Any], model: str) -> list[Any]:
    """What there is of a model's seeds."""
    return [each for (of, _), each in by_run.items() if of == model and each]


def ready(p: params.Params, models: Sequence[str]) -> list[str]:
    """The stages of what is made once for all runs: the image table and the methods' labels."""
    from partreid import methods, pretraining

    kinds: dict[str, None] = {}
    for model in models:
        recipe, options = p.recipe_of(model)
        method = methods.outline(model, backbone=recipe.backbone, **options)
        kinds |= dict.fromkeys((*pretraining.labels_of(method), *method.labels_at_test))
    return [index_stage(p.dataset), *(f"data/dvc.yaml:{kind}@{p.dataset}" for kind in kinds)]


def costs_of(
    p: params.Params, models: Sequence[str], changes: Changes, wanted: Sequence[str]
) -> tuple[dict[str, Cost], str, UserError | None]:
    """Every model's cost and on what it was measured; without costs, which is told at once, why there are none."""
    try:
        return *speeds(p, models, changes, wanted), None
    except UserError as error:  # no reason to throw away what was trained
        print(f"error: {error}", file=sys.stderr)
        return {}, "", error


def speeds(
    p: params.Params, models: Sequence[str], changes: Changes, wanted: Sequence[str]
) -> tuple[dict[str, Cost], str]:
    """Every model's cost and on what it was measured: as found, or measured now."""
    from partreid.experiments import speed_file

    path = speed_file.file(p.dataset)
    if found := speed_file.recorded(path, p, models):
        return found
    dvc.repro(wanted)
    command = [sys.executable, "benchmarks/speed.py", "--models", *models, *overrides.command(p, changes)]
    print(f"costs: python {' '.join(command[1:])}", flush=True)
    if not subprocess.run(command, check=False).returncode and (found := speed_file.recorded(path, p, models)):
        return found
    raise UserError("benchmarks/speed.py did not measure the methods' costs; what it said stands above")


def write(board: Board, changes: Sequence[str], folder: Path) -> None:
    """The leaderboard's files. changes: as arguments."""
    from partreid.drawing import plots
    from partreid.experiments import leaderboard
    from partreid.report import leaderboard_page

    models = [entry.model for entry in board.entries]
    command = ["python", "stages/compare.py", "--models", *models, "--seeds", *map(str, board.seeds), *changes]
    text = leaderboard.markdown(board)
    write_text(folder / "leaderboard.md", text)
    write_text(folder / "leaderboard.csv", leaderboard.as_csv(board))
    write_text(folder / "leaderboard.html", leaderboard_page.render(board, [shlex.join(command)]))
    pictures = leaderboard_page.pictures(board)
    for name in leaderboard_page.CAPTIONS.keys() - pictures.keys():
        (folder / f"{name}.png").unlink(missing_ok=True)  # it would show an earlier board
    for name, figure in pictures.items():
        write_bytes(folder / f"{name}.png", plots.png(figure))
    names = ["leaderboard.md", ".csv", ".html", *(f"{name}.png" for name in pictures)]
    print(f"\n{text}\nwrote {folder}/{', '.join(names)}")


if __name__ == "__main__":
    run(main)
