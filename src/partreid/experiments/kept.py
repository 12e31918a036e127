"""What has been run: DVC's experiments, whatever commit they belong to, and what was kept, as lines of one table."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from partreid import params, strict_yaml
from partreid.errors import UserError
from partreid.experiments import overrides
from partreid.experiments.shown import Metrics, entries, known, measured, parameters, places_of, progress
from partreid.storage import files
from partreid.storage.places import Run
from partreid.storage.revision import committed

KEPT = Path("kept")
CHOICE = ("model", "dataset")  # have columns of their own


@dataclass(frozen=True)
class Line:
    """One run. when: made, or kept, ISO 8601, or "". values: its params.yaml. metrics: None if it has none yet.

    commit: its first seven digits, of an experiment.
    """

    name: str
    when: str
    values: Mapping[str, Any]
    metrics: Metrics | None
    state: str = "success"
    commit: str = ""

    def measure(self, name: str) -> float:
        """A measure by the data set's main protocol, which stands first; -1 where there is none."""
        return next(iter(self.metrics.values())).get(name, -1.0) if self.metrics else -1.0


def keep(name: str, here: Run) -> Path:
    """Copy the chosen run's results, weights, embeddings and params.yaml to kept/NAME, whole or not at all.

    UserError when the name cannot be had, there are no results, params.yaml says another training than was done, or
    there is no room.
    """
    target = KEPT / name
    if not name or Path(name).name != name or name.startswith("."):
        raise UserError(f"{name!r} is no name of a folder; take letters, digits, - and _")
    if target.exists():
        raise UserError(f"{target} is there already; choose another name, or remove it")
    if not here.metrics.is_file():
        raise UserError(f"no results in {here.results}; `dvc repro` makes them")
    own_values(here)
    temporary = KEPT / f".{name}.part"
    shutil.rmtree(temporary, ignore_errors=True)  # of one that was killed
    try:
        files.copy_folder(here.results, temporary)
        for file in (params.PARAMS, here.weights, here.embeddings):
            if file.is_file():
                files.copy(file, temporary / file.name)
        temporary.rename(target)
    except files.Unwritable as error:
        raise files.Unwritable(error.errno, error.strerror, str(target)) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return target


def own_values(here: Run) -> None:
    """UserError when params.yaml has other values than the run was trained with, under which it would be kept."""
    from partreid.storage import weights  # here: torch

    header = weights.header(here.weights) if here.weights.is_file() else {}
    if not header.get("training"):  # converted weights were trained by others
        return
    p = params.load()
    recipe, options = p.recipe_of(here.model)
    now = json.loads(json.dumps({"recipe": p.recipe, "seed": p.train.seed, **vars(recipe), **options}))
    then = {"recipe": header.get("recipe"), "seed": header.get("seed"), **header["training"], **header["options"]}
    for name in now:
        if name in then and now[name] != then[name]:
            raise UserError(
                f"{here.weights} was trained with {name} = {then[name]!r}, and params.yaml, with which it would be "
                f"kept, has {now[name]!r} by now; put that back, or run `dvc repro` first"
            )


def experiments(shown: Sequence[Mapping[str, Any]]) -> list[Line]:
    """The runs among what `dvc exp show --json` prints."""
    lines = (_line(entry, commit.get("rev", "")) for commit in shown for entry in entries([commit]))
    return [line for line in lines if line]


def _line(entry: Mapping[str, Any], commit: str) -> Line | None:
    revision, data = known(entry)
    values = parameters(data)
    if not values:
        return None
    state = progress(entry)
    # of what is queued, at work or failed DVC tells the commit's own metrics
    metrics = measured(data, places_of(values).metrics) if state == "success" else None
    when = (data.get("timestamp") or "")[:16]
    return Line(entry.get("name") or revision[:7], when, values, metrics or None, state, commit[:7])


def kept() -> list[Line]:
    """The runs in kept/."""
    lines = []
    for folder in sorted(path for path in KEPT.glob("[!.]*") if path.is_dir()):
        try:
            metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
            file = folder / params.PARAMS  # copied when the run was kept
            when = datetime.fromtimestamp(file.stat().st_mtime).isoformat()[:16]
            lines.append(Line(f"{KEPT}/{folder.name}", when, params.read(file), metrics))
        except (OSError, ValueError) as error:
            raise UserError(f"{folder} holds no kept run ({error}); remove it") from error
    return lines


def table(lines: Sequence[Line], before: Mapping[str, Any]) -> str:
    """A line each: name, when, commit, model, data set, mAP and rank-1, what differs from the params.yaml `before`."""
    rows = [["run", "when", "commit", "model", "data set", "mAP", "rank-1", "differs from the last commit in"]]
    for line in lines:
        measures = [f"{100 * line.measure(name):.1f}" if line.metrics else line.state for name in ("mAP", "rank1")]
        changes = [word for word in overrides.words(before, line.values) if word.partition("=")[0] not in CHOICE]
        model, dataset = line.values["model"], line.values["dataset"]
        rows.append([line.name, line.when, line.commit or "-", model, dataset, *measures, " ".join(changes) or "-"])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(row[:-1], widths, strict=True)), row[-1]]) for row in rows
    )


def difference(a: Line, b: Line) -> str:
    """What two runs differ in: values, then every protocol's mAP and rank-1, in per cent."""
    words = overrides.words(a.values, b.values)
    lines = [f"from {a.name} to {b.name}: {' '.join(words) or 'the same values'}"]
    for protocol in dict.fromkeys([*(a.metrics or {}), *(b.metrics or {})]):
        told = []
        for name in ("mAP", "rank1"):
            values = [100 * (each.metrics or {}).get(protocol, {}).get(name, float("nan")) for each in (a, b)]
            told.append(f"{name} {values[0]:.1f} -> {values[1]:.1f} ({values[1] - values[0]:+.1f})")
        lines.append(f"{protocol:18s} {'   '.join(told)}")
    return "\n".join(lines)


def found(lines: Sequence[Line], name: str) -> Line:
    """The line of that name; UserError for none."""
    for line in lines:
        if name in (line.name, line.name.removeprefix(f"{KEPT}/")):
            return line
    raise UserError(f"no run {name!r}; known: {', '.join(line.name for line in lines) or 'none'}")


def committed_values() -> Mapping[str, Any]:
    """What params.yaml holds in the last commit, or, where git does not know, as it is."""
    text = committed("params.yaml")
    return params.read() if text is None else strict_yaml.loaded(text)
