"""What `dvc exp show` knows of experiments: which of them had these parameters, this code, these images, this start."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from partreid.params import start_file
from partreid.storage import places
from partreid.storage.places import Run
from partreid.storage.revision import same_code

Metrics = Mapping[str, Mapping[str, float]]
"""Protocol -> measure -> value, 0..1."""


def state(shown: Sequence[Mapping[str, Any]], wanted: Mapping[str, Any]) -> tuple[str, Metrics | None]:
    """How far the experiment with the parameters `wanted` is: "done" with its metrics, "queued" (or running), or "new".

    shown: what `dvc exp show --json` prints, the working tree first. Experiments that failed, whose metrics are gone,
    or that had other code, another image table or another file to start from are new.
    """
    found = "new"
    for entry, data in of(shown, wanted):
        metrics = measured(data, places_of(wanted).metrics)
        if progress(entry) == "success" and metrics:
            return "done", metrics
        if progress(entry) in ("queued", "running"):
            found = "queued"
    return found, None


def training(shown: Sequence[Mapping[str, Any]], wanted: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What the experiment with the parameters `wanted`, if it is done, says of its training: training.budget."""
    file = places_of(wanted).training
    told = (measured(data, file) for entry, data in of(shown, wanted) if progress(entry) == "success")
    return next((each for each in told if each), None)


def of(
    shown: Sequence[Mapping[str, Any]], wanted: Mapping[str, Any]
) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """The experiments with these parameters, this code, these images and this start, with what DVC knows of them."""
    for entry in entries(shown):
        revision, data = known(entry)
        if parameters(data) != wanted:
            continue
        here = shown[0].get("data") or {}
        if same_images(data, here, wanted) and same_start(data, wanted) and same_code(revision):
            yield entry, data


def known(entry: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """An experiment's git revision, and what DVC knows of it."""
    revision = (entry.get("revs") or [{}])[0]
    return str(revision.get("rev", "")), revision.get("data") or {}


def parameters(data: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """An experiment's params.yaml; None where DVC cannot read it."""
    return data.get("params", {}).get("params.yaml", {}).get("data")


def measured(data: Mapping[str, Any], file: Path) -> Any:
    """What a metrics file of an experiment holds; None where there is none."""
    return data.get("metrics", {}).get(str(file), {}).get("data")


def places_of(values: Mapping[str, Any]) -> Run:
    """Where the files of the model lie that a params.yaml chooses."""
    return Run(values["model"], values["dataset"], values["dataset"])


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
    if (parameters(here) or {}).get("split") != wanted.get("split"):
        return True
    file = str(places.index(wanted["dataset"]))
    return len({each.get("outs", {}).get(file, {}).get("hash") for each in (data, here)} - {None}) < 2


def same_start(data: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether an experiment's training started from the file that train.start_from names now.

    It is only another one where both are known: the file may have been thrown away since.
    """
    start = start_file(wanted["train"]["start_from"])
    if start is None or not start.is_file():
        return True
    then = data.get("deps", {}).get(str(start), {}).get("hash")
    return then in (None, hashlib.md5(start.read_bytes(), usedforsecurity=False).hexdigest())  # as DVC has it
