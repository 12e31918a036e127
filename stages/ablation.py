"""Run a paper's ablation table through DVC's queue and print it beside the paper's numbers.

Usage: python stages/ablation.py PAPER TABLE [--rows NAME ...] [--seeds 1 2] [--dataset NAME] [--dry]
For example `make ablation paper=mpn table=1 seeds="1 2"`. The tables are in ablations.yaml.

Rows that `dvc exp show` lists are not run again, so a second call takes up what the first left; `dvc queue logs` shows
what the worker is doing. Experiments belong to a commit; after a new one they are queued again, and DVC's run cache
gives back every stage that it left as it was. Ctrl-C stops the worker too; a training goes on from its last epoch.
Writes results/ablation/PAPER-TABLE-DATASET.md.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from partreid import ablation, params
from partreid.errors import UserError, run
from partreid.files import write_text

PAUSE = 10  # seconds between two looks at the queue
GONE = 12  # looks in a row without a worker that show it has died; on a busy machine a living one may miss some
LOCKED = 30  # how many times another DVC process may be waited for
AT_WORK = ("Unable to acquire lock", ".dvc/tmp/exps/")  # what DVC says when another of its processes is at work
Key = tuple[str, int]  # a row's name and a seed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paper")
    parser.add_argument("table")
    parser.add_argument("--rows", nargs="+", metavar="NAME", help="some of the table's rows, all by default")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--dataset", help="params.yaml's by default")
    parser.add_argument("--dry", action="store_true", help="only print what would be run")
    given = parser.parse_args()

    p = params.load()
    dataset = given.dataset or p.dataset
    values = yaml.load(params.PARAMS.read_text(encoding="utf-8"), params.Loader)
    table = ablation.read(Path("ablations.yaml"), given.paper, given.table).only(given.rows)
    changes: dict[Key, dict[str, Any]] = {
        (row.name, seed): ablation.experiment(values, table, row, dataset, seed)
        for seed in given.seeds
        for row in table.rows
    }
    wanted = {key: ablation.changed(values, change) for key, change in changes.items()}
    for content in wanted.values():
        params.parse(content)

    known = show()
    states = {key: ablation.state(known, content)[0] for key, content in wanted.items()}
    counts = {word: list(states.values()).count(word) for word in ("done", "queued", "new")}
    print(f"{table.title}: {len(states)} runs, " + ", ".join(f"{n} {word}" for word, n in counts.items()), flush=True)
    commands = [
        queue(ablation.identifier(table, *key, wanted[key]), changes[key]) for key in changes if states[key] == "new"
    ]
    if given.dry:
        print("".join(f"dvc {' '.join(command)}\n" for command in commands), end="")
        return
    if counts["done"] < len(states):
        committed()
        for command in commands:
            dvc(*command)
        work()
        known = show()

    found = {key: ablation.state(known, content)[1] for key, content in wanted.items()}
    results = {
        row.name: [metrics for (name, _), metrics in found.items() if name == row.name and metrics]
        for row in table.rows
    }
    seeds = ", ".join(map(str, given.seeds))
    heading = f"{table.title}. {dataset}, recipe {p.recipe}, seeds {seeds}; mAP / rank-1, mean ± standard deviation."
    text = f"{heading}\n\n{ablation.markdown(table, results)}\n{ablation.inequalities(table, results)}"
    path = Path(f"results/ablation/{table.paper}-{table.name}-{dataset}.md")
    write_text(path, text)
    print(f"\n{text}\nwrote {path}")
    if failed := [f"{name}, seed {seed}" for (name, seed), metrics in found.items() if metrics is None]:
        raise UserError(f"no result of {'; '.join(failed)}: `dvc queue status` and `dvc queue logs TASK` say why")


def queue(name: str, changes: Mapping[str, Any]) -> list[str]:
    """dvc's arguments that put an experiment into its queue. Only up to the evaluation: a table needs no reports."""
    settings = [argument for path, value in changes.items() for argument in ("-S", ablation.override(path, value))]
    return ["exp", "run", "--queue", "--name", name, *settings, "evaluate"]


def dvc(*arguments: str) -> str:
    """Run dvc and return what it says; its failure is a UserError, unless a worker is in its way: then try again."""
    with tempfile.TemporaryFile("w+") as said:
        for patience in range(LOCKED, -1, -1):
            said.truncate(said.seek(0))
            # files, not pipes: the worker that dvc starts inherits them, and a pipe would be read until that ends
            done = subprocess.run([sys.executable, "-m", "dvc", *arguments], check=False, stdout=said, stderr=said)
            said.seek(0)
            words = said.read()
            if not done.returncode:
                return words
            if not patience or not any(reason in words for reason in AT_WORK):
                raise UserError(f"`dvc {' '.join(arguments[:3])} ...` failed: {words.strip()[-1000:]}")
            time.sleep(PAUSE)
    raise AssertionError  # the loop has returned or raised


def work() -> None:
    """Have DVC's worker do all that is queued, and wait. Ctrl-C stops the worker and what it runs."""
    shown, missed = "", 0
    dvc("queue", "start")
    try:
        while True:
            *tasks, workers = [line.split() for line in dvc("queue", "status").splitlines() if line.strip()]
            left = {task[1]: task[-1] for task in tasks if task[-1] in ("Queued", "Running")}
            if not left:
                return
            running = ", ".join(name for name, status in left.items() if status == "Running")
            if (now := f"{len(left)} to go; {running or 'between two'}") != shown:
                print(f"{time.strftime('%H:%M:%S')}  {now}", flush=True)
                shown = now
            missed = missed + 1 if workers[2:] == ["0", "active,", "0", "idle"] else 0
            if missed == GONE:  # a second worker beside a living one would fail: both would train the same
                dvc("queue", "start")
                missed = 0
            time.sleep(PAUSE)
    except KeyboardInterrupt:
        dvc("queue", "stop", "--kill")
        raise


def show() -> list[dict[str, Any]]:
    """What `dvc exp show` knows of this commit's experiments."""
    words = dvc("exp", "show", "--json")
    return json.loads(words[words.index("[{") :])  # after warnings


def committed() -> None:
    """Raise a UserError if a tracked file other than params.yaml differs from the commit the results will belong to."""
    command = ["git", "status", "--porcelain", "--untracked-files=no"]
    changes = subprocess.run(command, check=False, capture_output=True, text=True).stdout.splitlines()
    if files := [line[3:] for line in changes if line[3:] != "params.yaml"]:
        raise UserError(f"commit first, since results belong to a commit: {', '.join(files[:5])} changed")


if __name__ == "__main__":
    run(main)
