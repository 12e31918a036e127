"""Experiments through DVC's queue: what is known, what is to be run, and having it run.

An experiment is known by its parameters, its code and its image table: it has been run if there is one on the same
commit where all three are the same. So what was begun is taken up by asking again, and nothing is run twice.
"""

import argparse
import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from partreid.errors import UserError, at_least
from partreid.experiments import overrides
from partreid.storage.files import alone, scratch_root
from partreid.storage.revision import CODE
from partreid.training import cards

PAUSE = 10  # seconds between two looks at the queue
GONE = 12  # looks in a row without a worker at work that show it has died: a new one takes its time to be there
ATTEMPTS = 3  # how often what failed is queued when a worker died; what kills it each time will go on doing so
LOCKED = 30  # how many times another DVC process may be waited for
AT_WORK = ("Unable to acquire lock", ".dvc/tmp/exps/")  # what DVC says when another of its processes is at work

Metrics = Mapping[str, Mapping[str, float]]
"""Protocol -> measure -> value, 0..1."""


@dataclass(frozen=True)
class Experiment:
    """name: in words. changes: dotted path in params.yaml -> value. wanted: the whole params.yaml with them."""

    name: str
    changes: Mapping[str, Any]
    wanted: Mapping[str, Any]

    @property
    def identifier(self) -> str:
        """A name that git takes; other parameters, another name."""
        digest = hashlib.sha256(json.dumps(self.wanted, sort_keys=True).encode()).hexdigest()[:8]
        return re.sub(r"[^a-z0-9]+", "-", f"{self.name}-{digest}".lower()).strip("-")

    def command(self) -> list[str]:
        """dvc's arguments that put it into the queue. Only up to the evaluation: a table needs no reports."""
        settings = [each for path, value in self.changes.items() for each in ("-S", overrides.word(path, value))]
        return ["exp", "run", "--queue", "--name", self.identifier, *settings, "evaluate"]


def arguments(parser: argparse.ArgumentParser, seeds: Sequence[int]) -> None:
    """Add what the programs that run experiments have in common. seeds: by default."""
    overrides.arguments(parser)
    parser.add_argument("--seeds", type=at_least(0), nargs="+", default=list(seeds))
    parser.add_argument("--dry", action="store_true", help="only print what would be run")


def experiment(name: str, values: Mapping[str, Any], changes: Mapping[str, Any]) -> Experiment:
    """The experiment that changes these values of params.yaml, which holds `values`."""
    return Experiment(name, changes, overrides.changed(values, changes))


def state(shown: Sequence[Mapping[str, Any]], wanted: Mapping[str, Any]) -> tuple[str, Metrics | None]:
    """How far the experiment with the parameters `wanted` is: "done" with its metrics, "queued" (or running), or "new".

    shown: what `dvc exp show --json` prints, the working tree first. Experiments that failed, whose metrics are gone,
    or that had other code or another image table are new.
    """
    found = "new"
    for entry, data in of(shown, wanted):
        metrics = measured(data, f"results/{wanted['dataset']}/{wanted['model']}/metrics.json")
        if progress(entry) == "success" and metrics:
            return "done", metrics
        if progress(entry) in ("queued", "running"):
            found = "queued"
    return found, None


def training(shown: Sequence[Mapping[str, Any]], wanted: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What the experiment with the parameters `wanted`, if it is done, says of its training: training.budget."""
    file = f"runs/{wanted['model']}-{wanted['dataset']}/training.json"
    told = (measured(data, file) for entry, data in of(shown, wanted) if progress(entry) == "success")
    return next((each for each in told if each), None)


def of(
    shown: Sequence[Mapping[str, Any]], wanted: Mapping[str, Any]
) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """The experiments with these parameters, this code and these images, with what DVC knows of them."""
    for entry in entries(shown):
        revision = (entry.get("revs") or [{}])[0]
        data = revision.get("data") or {}
        if data.get("params", {}).get("params.yaml", {}).get("data") != wanted:
            continue
        if same_images(data, shown[0].get("data") or {}, wanted) and same_code(revision["rev"]):
            yield entry, data


def measured(data: Mapping[str, Any], file: str) -> Any:
    """What a metrics file of an experiment holds; None where there is none."""
    return data.get("metrics", {}).get(file, {}).get("data")


def entries(shown: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The experiments among what `dvc exp show --json` prints."""
    return [entry for commit in shown for entry in commit.get("experiments") or []]


def progress(entry: Mapping[str, Any]) -> str:
    """Of an experiment: "queued", "running", "failed" or "success"."""
    return (entry.get("executor") or {}).get("state", "success")


def same_images(data: Mapping[str, Any], here: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether an experiment had the image table of the working tree, whose entry is `here`.

    It is only another one where DVC knows both: a dvc.lock may have been thrown away. An experiment on another `split`
    than the working tree's had another table, as it should; its parameters say which.
    """
    if here.get("params", {}).get("params.yaml", {}).get("data", {}).get("split") != wanted.get("split"):
        return True
    file = f"data/index/{wanted['dataset']}.parquet"
    return len({each.get("outs", {}).get(file, {}).get("hash") for each in (data, here)} - {None}) < 2


def complete(
    experiments: Sequence[Experiment], title: str, before: Callable[[], None], jobs: int = 1, dry: bool = False
) -> list[Metrics | None] | None:
    """Have all that is not done yet run, and return everything's metrics; None for one that failed.

    before: makes the image table and whatever else all experiments need. jobs: how many run at once. dry: only print
    what would be run; no result.
    """
    known = show()
    states = [state(known, each.wanted)[0] for each in experiments]
    counts = ", ".join(f"{states.count(word)} {word}" for word in ("done", "queued", "new"))
    print(f"{title}: {len(states)} runs, {counts}", flush=True)
    if dry:
        new = [each for each, word in zip(experiments, states, strict=True) if word == "new"]
        print("".join(f"dvc {shlex.join(each.command())}\n" for each in new), end="")
        return None
    if states.count("done") < len(states):
        with alone(scratch_root() / "experiments"):  # two would queue the same
            committed()
            before()
            for _ in range(ATTEMPTS):
                if not queue_new(experiments, jobs):
                    break
        known = show()
    return [state(known, each.wanted)[1] for each in experiments]


def trainings(experiments: Sequence[Experiment]) -> list[Mapping[str, Any] | None]:
    """What each experiment says of its training; None where it is not done or says nothing."""
    known = show()
    return [training(known, each.wanted) for each in experiments]


def queue_new(experiments: Sequence[Experiment], jobs: int) -> bool:
    """Queue what is new and wait for the queue; returns whether something is to be queued again, see `work`."""
    known = show()
    ended = {entry.get("name") for entry in entries(known) if progress(entry) == "success"}
    for each in experiments:
        if state(known, each.wanted)[0] == "new":
            if each.identifier in ended:  # its metrics are gone, or its images were others
                dvc("exp", "remove", each.identifier)
            dvc(*each.command())
    if others := queue()[0].keys() - {each.identifier for each in experiments}:
        print(
            f"the queue holds others too ({len(others)}); `dvc queue remove --queued` takes out what does not run yet"
        )
    return work(jobs)


def all_there(experiments: Sequence[Experiment], results: Sequence[Metrics | None]) -> None:
    """Raise a UserError that names the experiments without a result."""
    if failed := [each.name for each, metrics in zip(experiments, results, strict=True) if metrics is None]:
        raise UserError(f"no result of {'; '.join(failed)}: `dvc queue status` and `dvc queue logs TASK` say why")


def spread(values: Sequence[float]) -> str:
    """Mean and, from two values on, sample standard deviation, in per cent."""
    if not values:
        return "-"
    mean = f"{100 * np.mean(values):.1f}"
    return mean if len(values) == 1 else f"{mean} ± {100 * np.std(values, ddof=1):.1f}"


def told(numbers: Mapping[str, float] | None) -> str:
    """A paper's mAP / rank-1 in a cell."""
    return "-" if numbers is None else f"{numbers.get('mAP', '-')} / {numbers['rank1']}"


# DVC itself


def dvc(*arguments: str, environment: Mapping[str, str] | None = None) -> str:
    """Run dvc and return what it says; its failure is a UserError, unless a worker is in its way: then try again."""
    with tempfile.TemporaryFile("w+") as said:
        for patience in range(LOCKED, -1, -1):
            said.truncate(said.seek(0))
            # files, not pipes: the worker that dvc starts inherits them, and a pipe would be read until that ends
            done = subprocess.run(
                [sys.executable, "-m", "dvc", *arguments], check=False, stdout=said, stderr=said, env=environment
            )
            said.seek(0)
            words = said.read()
            if not done.returncode:
                return words
            if not patience or not any(reason in words for reason in AT_WORK):
                raise UserError(f"`dvc {' '.join(arguments[:3])} ...` failed: {words.strip()[-1000:]}")
            time.sleep(PAUSE)
    raise AssertionError  # the loop has returned or raised


def repro(targets: Iterable[str]) -> None:
    """`dvc repro` of stages, which say what they do; when another DVC process is at work, after it."""
    command = ["--wait-for-lock", "repro", *targets]
    if subprocess.run([sys.executable, "-m", "dvc", *command], check=False).returncode:
        raise UserError(f"`dvc {' '.join(command)}` failed")


def work(jobs: int) -> bool:
    """Have DVC's workers, `jobs` of them, do all that is queued, and wait. Ctrl-C stops them and what they run.

    Returns whether a worker died at something. DVC says for ever that it is running, so it is made to count as failed.
    """
    shown, missed, lost = "", 0, False
    start(jobs)
    try:
        while (looked := queue())[0]:
            left, at_work = looked
            running = [name for name, status in left.items() if status == "Running"]
            if (now := f"{len(left)} to go; {', '.join(running) or 'between two'}") != shown:
                print(f"{time.strftime('%H:%M:%S')}  {now}", flush=True)
                shown = now
            missed = 0 if at_work else missed + 1
            if missed == GONE:
                if running:
                    dvc("queue", "kill", *running)
                    lost = True
                start(jobs)  # not earlier: a second worker beside a living one would train the same
                missed = 0
            time.sleep(PAUSE)
    except KeyboardInterrupt:
        print("stopping the runs and their workers; half a minute on a busy machine", file=sys.stderr, flush=True)
        if running := [name for name, status in queue()[0].items() if status == "Running"]:
            dvc("queue", "kill", *running)  # and what they run, which stopping the worker would leave at work
        dvc("queue", "stop", "--kill")
        raise
    return lost


def start(jobs: int) -> None:
    """Start DVC's workers."""
    dvc("queue", "start", "--jobs", str(jobs), environment=shared(jobs))


def shared(jobs: int) -> dict[str, str]:
    """The environment of each of several runs that share out processors and GPUs: each would otherwise take all."""
    own = {"OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // jobs)), cards.VARIABLE: str(jobs)}
    return (own if jobs > 1 else {}) | os.environ


def queue() -> tuple[dict[str, str], bool]:
    """The names of what is "Queued" or "Running", and whether a worker is at work on any of it."""
    words = dvc("queue", "status")
    tasks = [line.split() for line in words.splitlines() if line.strip()]
    left = {task[1]: task[-1] for task in tasks if task[-1] in ("Queued", "Running")}
    if "Worker status: 0 active, 0 idle" in words:  # none is there, or none answers: a busy one may not for minutes
        return left, worker_lives()
    return left, "Worker status: 0 active" not in words


def worker_lives() -> bool:
    """Whether there is a process of one of this project's workers."""
    import psutil  # type: ignore[import-untyped]  # DVC brings it, and not all that imports this file has DVC

    return any(
        "queue-worker" in (process.info["cmdline"] or ())
        and process.info["cwd"] == str(Path.cwd())
        and process.info["status"] != psutil.STATUS_ZOMBIE
        for process in psutil.process_iter(["cmdline", "cwd", "status"])  # None of what another user's process hides
    )


def show(*commits: str) -> list[dict[str, Any]]:
    """What `dvc exp show` knows of experiments, after the working tree: this commit's, or the named commits'."""
    words = dvc("exp", "show", "--json", *(each for commit in commits for each in ("--rev", commit)))
    try:
        return json.JSONDecoder().raw_decode(words, words.index("[{"))[0]  # between warnings
    except ValueError as error:
        raise UserError(f"`dvc exp show --json` gave no JSON: {words.strip()[-1000:]}") from error


def commits() -> list[str]:
    """The commits that have experiments, this one first, by git's own list of them: DVC's takes seconds for each."""
    listed = subprocess.run(
        ["git", "for-each-ref", "--format=%(refname)", "refs/exps"], check=False, capture_output=True, text=True
    ).stdout
    found = re.findall(r"^refs/exps/([0-9a-f]{2})/([0-9a-f]{38})/", listed, re.MULTILINE)
    return list(dict.fromkeys(["HEAD", *("".join(halves) for halves in found)]))


def same_code(revision: str) -> bool:
    """Whether an experiment, a git revision, had the commit's code: `dvc exp run` takes edited files along."""
    command = ["git", "diff", "--quiet", "HEAD", revision, "--", *CODE]
    return not subprocess.run(command, check=False, capture_output=True).returncode


def committed() -> None:
    """Raise a UserError if a file that decides results differs from the commit which they will belong to."""
    command = ["git", "status", "--porcelain", "--untracked-files=no", "--", *CODE]
    changes = subprocess.run(command, check=False, capture_output=True, text=True).stdout.splitlines()
    if changes:
        files = ", ".join(line[3:] for line in changes[:5])
        raise UserError(f"commit first, since results belong to a commit: {files} changed")
