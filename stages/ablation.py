"""Run a paper's ablation table through DVC's queue and print it beside the paper's numbers.

Usage: python stages/ablation.py PAPER TABLE [--rows NAME ...] [--seeds 1 2] [--dataset NAME] [-S PATH=VALUE ...]
    [--dry]
For example `make ablation paper=mpn table=1 seeds="1 2" set="recipes.laptop.epochs=8"`. The tables are in
ablations.yaml.

Rows that `dvc exp show` lists with the same values, code and image table are not run again, so a second call takes up
what the first left; `dvc queue logs` shows what the worker is doing. Experiments belong to a commit; after a new one
they are queued again, and DVC's run cache gives back every stage that it left as it was. Ctrl-C stops the worker too; a
training goes on from its last epoch.
Writes results/ablation/PAPER-TABLE-DATASET.md.
"""

import argparse
from pathlib import Path

from partreid import params
from partreid.experiments import ablation, dvc, overrides, queue
from partreid.program import run
from partreid.storage.files import write_text
from partreid.storage.places import index_stage


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paper")
    parser.add_argument("table")
    parser.add_argument("--rows", nargs="+", metavar="NAME", help="some of the table's rows, all by default")
    queue.arguments(parser, seeds=[1])
    given = parser.parse_args()
    from partreid.experiments import check  # not before: torch; --help and most mistakes show without it

    values, changes, p = overrides.asked(given)
    base = overrides.changed(values, changes)
    check.names(p)
    table = ablation.read(Path("ablations.yaml"), given.paper, given.table).only(given.rows)
    ablation.undisputed(table, changes)
    seeds = list(dict.fromkeys(given.seeds))
    runs = {
        (row.name, seed): queue.experiment(
            f"{table.paper}-{table.name}-{row.name}-s{seed}",
            values,
            {**changes, **ablation.experiment(base, table, row, seed)},
        )
        for seed in seeds
        for row in table.rows
    }
    for each in runs.values():
        params.parse(each.wanted)

    images = [index_stage(p.dataset)]
    found = queue.complete(list(runs.values()), table.title, before=lambda: dvc.repro(images), dry=given.dry)
    if found is None:
        return
    results = {
        row.name: [metrics for (name, _), metrics in zip(runs, found, strict=True) if name == row.name and metrics]
        for row in table.rows
    }
    what = f"{p.dataset}, recipe {overrides.recipe(p, changes)}, seeds {', '.join(map(str, seeds))}"
    heading = f"{table.title}. {what}; mAP / rank-1, mean ± standard deviation."
    text = f"{heading}\n\n{ablation.text(table, results, len(seeds), p.dataset)}"
    path = Path(f"results/ablation/{table.paper}-{table.name}-{p.dataset}.md")
    write_text(path, text)
    print(f"\n{text}\nwrote {path}")
    queue.all_there(list(runs.values()), found)


if __name__ == "__main__":
    run(main)
