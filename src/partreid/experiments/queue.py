"""Experiments through DVC's queue: what is to be run, and having it run.

An experiment is known by its parameters, its code, its image table and what its training started from: it has been run
if there is one on the same commit where all of them are the same (partreid.experiments.shown). So what was begun is
taken up by asking again, and nothing is run twice.
"""

import argparse
import hashlib
import json
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from partreid.errors import UserError
from partreid.experiments import dvc, overrides
from partreid.experiments.shown import Metrics, entries, progress, state, training
from partreid.params import start_file
from partreid.program import at_least
from partreid.storage.files import alone, scratch_root
from partreid.storage.revision import uncommitted

ATTEMPTS = 3  # how often what failed is queued when a worker died; what kills it each time will go on doing so


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
        start = start_file(self.wanted["train"]["start_from"])  # git, from which DVC makes a run's folder, lacks it
        brought = [] if start is None else ["--copy-paths", str(start)]
        return ["exp", "run", "--queue", "--name", self.identifier, *brought, *settings, "evaluate"]


def arguments(parser: argparse.ArgumentParser, seeds: Sequence[int]) -> None:
    """Add what the programs that run experiments have in common. seeds: by default."""
    overrides.arguments(parser)
    parser.add_argument("--seeds", type=at_least(0), nargs="+", default=list(seeds))
    parser.add_argument("--dry", action="store_true", help="only print what would be run")


def experiment(name: str, values: Mapping[str, Any], changes: Mapping[str, Any]) -> Experiment:
    """The experiment that changes these values of params.yaml, which holds `values`."""
    return Experiment(name, changes, overrides.changed(values, changes))


def complete(
    experiments: Sequence[Experiment], title: str, before: Callable[[], None], jobs: int = 1, dry: bool = False
) -> list[Metrics | None] | None:
    """Have all that is not done yet run, and return everything's metrics; None for one that failed.

    before: makes the image table and whatever else all experiments need. jobs: how many run at once. dry: only print
    what would be run; no result.
    """
    known = dvc.show()
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
        known = dvc.show()
    return [state(known, each.wanted)[1] for each in experiments]


def trainings(experiments: Sequence[Experiment]) -> list[Mapping[str, Any] | None]:
    """What each experiment says of its training; None where it is not done or says nothing."""
    known = dvc.show()
    return [training(known, each.wanted) for each in experiments]


def queue_new(experiments: Sequence[Experiment], jobs: int) -> bool:
    """Queue what is new and wait for the queue; returns whether something is to be queued again, see dvc.work."""
    known = dvc.show()
    ended = {entry.get("name") for entry in entries(known) if progress(entry) == "success"}
    for each in experiments:
        if state(known, each.wanted)[0] == "new":
            if each.identifier in ended:  # its metrics are gone, or its images were others
                dvc.output("exp", "remove", each.identifier)
            dvc.output(*each.command())
    if others := dvc.unfinished()[0].keys() - {each.identifier for each in experiments}:
        print(
            f"the queue holds others too ({len(others)}); `dvc queue remove --queued` takes out what does not run yet"
        )
    return dvc.work(jobs)


def committed() -> None:
    """Raise a UserError if a file that decides results differs from the commit which they will belong to."""
    if changes := uncommitted():
        raise UserError(f"commit first, since results belong to a commit: {', '.join(changes[:5])} changed")


def all_there(experiments: Sequence[Experiment], results: Sequence[Metrics | None]) -> None:
    """Raise a UserError that names the experiments without a result."""
    if failed := [each.name for each, metrics in zip(experiments, results, strict=True) if metrics is None]:
        raise UserError(f"no result of {'; '.join(failed)}: `dvc queue status` and `dvc queue logs TASK` say why")
