"""Train and evaluate a method on every random split of a data set through DVC's queue: the mean and its spread.

Usage: python stages/splits.py --dataset cuhk03_classic_detected [--model pabr] [--splits 0 1 2] [--seeds 1]
    [-S PATH=VALUE ...] [--jobs 1] [--dry]
For example `make splits dataset=cuhk01_100 model=pabr set="recipe=paper"`. CUHK03's classic protocol has 20 splits,
CUHK01 has 10; the papers give the mean over them. Splits that have run are not run again. Labels are made split by
split, as each has an image table of its own.
Writes results/splits/DATASET-MODEL.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from partreid.errors import UserError, choose
from partreid.experiments import overrides, queue
from partreid.experiments.cells import spread
from partreid.experiments.shown import Metrics
from partreid.program import at_least, run
from partreid.storage.files import write_text

if TYPE_CHECKING:  # torch is imported where it is needed: --help and most mistakes show without it
    from partreid.experiments import published

MEASURES = {"rank1": "rank-1", "rank5": "rank-5", "rank10": "rank-10", "rank20": "rank-20", "mAP": "mAP"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="params.yaml's by default")
    parser.add_argument("--splits", type=at_least(0), nargs="+", help="all by default")
    queue.arguments(parser, seeds=[1])
    parser.add_argument("--jobs", type=at_least(1), default=1, help="how many run at once, sharing the processors")
    given = parser.parse_args()
    from partreid import methods
    from partreid.datasets import SPLITS
    from partreid.experiments import check, published

    values, changes, p = overrides.asked(given)
    check.names(p)
    model = given.model or p.model
    choose(methods.METHODS, model, "model")
    number = choose(SPLITS, p.dataset, "data set with random splits (--dataset)")
    splits = list(dict.fromkeys(given.splits or range(number)))
    if wrong := [split for split in splits if split >= number]:
        raise UserError(f"{p.dataset} has {number} splits, 0 to {number - 1}; there is no split {wrong[0]}")
    seeds = list(dict.fromkeys(given.seeds))
    runs = [
        queue.experiment(
            f"splits-{model}-{p.dataset}-{split}-s{seed}",
            values,
            {**changes, "model": model, "split": split, "train.seed": seed},
        )
        for seed in seeds
        for split in splits
    ]
    what = f"{model} on {p.dataset}, {len(splits)} of {number} splits, seeds {', '.join(map(str, seeds))}"
    found = queue.complete(runs, what, before=lambda: None, jobs=given.jobs, dry=given.dry)
    if found is None:
        return
    papers = published.of(published.read(Path("published.yaml")), p.dataset, protocols(found), [model])
    heading = f"{what}, recipe {overrides.recipe(p, changes)}. Per cent, mean ± standard deviation over trainings."
    text = f"{heading}\n\n{markdown([each for each in found if each], len(runs), papers)}"
    path = Path(f"results/splits/{p.dataset}-{model}.md")
    write_text(path, text)
    print(f"\n{text}\nwrote {path}")
    queue.all_there(runs, found)


def protocols(found: Sequence[Metrics | None]) -> list[str]:
    """The protocols that there are metrics of."""
    return list(dict.fromkeys(name for metrics in found if metrics for name in metrics))


def markdown(found: Sequence[Metrics], wanted: int, papers: Sequence[published.Published]) -> str:
    """A row for each protocol, then the papers'. found: of every training that has them. wanted: how many there are."""
    lines: list[Sequence[str]] = [["", *MEASURES.values()], ["---"] * (1 + len(MEASURES))]
    for name in protocols(found):
        of_it = [metrics[name] for metrics in found if name in metrics]
        cells = [spread([each[measure] for each in of_it if measure in each]) for measure in MEASURES]
        lines.append([f"{name} ({len(of_it)} of {wanted} trainings)", *cells])
    for paper in papers:
        for protocol, numbers in paper.numbers.items():
            lines.append([f"{paper.source}, {paper.row}, {protocol}", *(_cell(numbers, key) for key in MEASURES)])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cell(numbers: Mapping[str, float], measure: str) -> str:
    return str(numbers.get(measure, "-"))


if __name__ == "__main__":
    run(main)
