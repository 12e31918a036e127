"""A paper's ablation table as experiments: what to run, what has been run, and the table beside the paper's numbers.

ablations.yaml holds paper -> model, tables and, where its numbers are not to be compared with a data set's first
protocol, the `protocol`; table -> title and rows; row -> name, `set` (parameter -> value) and `paper` (what the paper
measured -> those of rank1, rank5 and mAP that it gives, in per cent). A table or a row may have a `model` of its own.
A row's experiment is known by its parameters alone: it has been run if there is one on the same commit whose
params.yaml is the row's.
"""

import copy
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from partreid.errors import UserError, choose
from partreid.params import Loader

Metrics = Mapping[str, Mapping[str, float]]
"""Protocol -> measure -> value, 0..1."""


@dataclass(frozen=True)
class Row:
    """values: dotted path in params.yaml -> value. paper: what was measured -> {rank1, rank5, mAP}, per cent.

    model: where it is not the table's.
    """

    name: str
    values: Mapping[str, Any]
    paper: Mapping[str, Mapping[str, float]]
    model: str | None = None


@dataclass(frozen=True)
class Table:
    """One table of one paper. protocol: which of ours its numbers are compared with; by default the first."""

    paper: str
    name: str
    title: str
    model: str
    rows: Sequence[Row]
    protocol: str | None = None

    def only(self, names: Sequence[str] | None) -> "Table":
        """The same with the named rows alone; None for all. UserError for a name that no row has."""
        by_name = {row.name: row for row in self.rows}
        chosen = self.rows if names is None else [choose(by_name, name, f"row of table {self.name}") for name in names]
        return replace(self, rows=chosen)


def read(path: Path, paper: str, table: str) -> Table:
    """Table `table` of `paper` from ablations.yaml."""
    papers = yaml.load(path.read_text(encoding="utf-8"), Loader)
    block = choose(papers, paper, "paper")
    content = choose(block["tables"], table, f"table of {paper}")
    model = content.get("model", block["model"])
    rows = []
    for row in content["rows"]:
        own = row.get("model", model)
        values = {key if "." in key else f"methods.{own}.{key}": value for key, value in row["set"].items()}
        rows.append(Row(row["name"], values, row.get("paper", {}), own))
    return Table(paper, table, content["title"], model, rows, block.get("protocol"))


def experiment(values: Mapping[str, Any], table: Table, row: Row, dataset: str, seed: int) -> dict[str, Any]:
    """All that the row's experiment changes in params.yaml: dotted path -> value.

    values: what params.yaml holds. UserError for a parameter that it does not have, or that the recipe would override.
    """
    where = f"ablations.yaml: {table.paper}, table {table.name}, {row.name}"
    over = choose(values["recipes"], values["recipe"], "recipe")
    for path, value in row.values.items():
        *way, key = path.split(".")
        place: Any = values
        for step in way:
            place = place.get(step) if isinstance(place, Mapping) else None
        if not isinstance(place, Mapping) or key not in place:
            raise UserError(f"{where}: params.yaml has no {path}")
        if len(way) == 2 and way[0] in ("methods", "pretraining"):
            laid = over.get(way[1], {}).get(key, over.get(key, value))
            if laid != value:
                raise UserError(f"{where}: recipe {values['recipe']} has {key} = {laid} in place of {value}")
    return {"model": row.model or table.model, "dataset": dataset, "train.seed": seed, **row.values}


def changed(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of params.yaml's mapping with values at dotted paths changed."""
    result = copy.deepcopy(dict(values))
    for path, value in changes.items():
        *way, key = path.split(".")
        place = result
        for step in way:
            place = place[step]
        place[key] = value
    return result


def identifier(table: Table, row: str, seed: int, wanted: Mapping[str, Any]) -> str:
    """A name for the experiment that git takes; other parameters, another name."""
    digest = hashlib.sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()[:8]
    words = f"{table.paper}-{table.name}-{row}-s{seed}-{digest}"
    return re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")


def override(path: str, value: Any) -> str:
    """A change as an argument of `dvc exp run -S`."""
    if isinstance(value, str) and not re.fullmatch(r"[\w./-]+", value):
        return f"{path}='{value}'"
    return f"{path}={value if isinstance(value, str) else json.dumps(value)}"


def state(shown: Sequence[Mapping[str, Any]], wanted: Mapping[str, Any]) -> tuple[str, Metrics | None]:
    """How far the experiment with the parameters `wanted` is: "done" with its metrics, "queued" (or running), or "new".

    shown: what `dvc exp show --json` prints. Experiments that failed or whose metrics are gone are new.
    """
    metrics_file = f"results/{wanted['dataset']}/{wanted['model']}/metrics.json"
    found = "new"
    for commit in shown:
        for entry in commit.get("experiments") or []:
            data = (entry.get("revs") or [{}])[0].get("data") or {}
            if data.get("params", {}).get("params.yaml", {}).get("data") != wanted:
                continue
            metrics = data.get("metrics", {}).get(metrics_file, {}).get("data")
            progress = (entry.get("executor") or {}).get("state", "success")
            if progress == "success" and metrics:
                return "done", metrics
            if progress in ("queued", "running"):
                found = "queued"
    return found, None


def markdown(table: Table, results: Mapping[str, Sequence[Metrics]]) -> str:
    """The table, mAP / rank-1 in per cent, mean and standard deviation over seeds, then the paper's numbers.

    results: row's name -> the metrics of its seeds; a row without any is left open.
    """
    protocols = list(dict.fromkeys(name for runs in results.values() for run in runs for name in run))
    measured_by_paper = list(dict.fromkeys(name for row in table.rows for name in row.paper))
    header = ["", *protocols, *(f"paper: {name}" for name in measured_by_paper)]
    lines = [header, ["---"] * len(header)]
    for row in table.rows:
        runs = results.get(row.name, [])
        ours = [" / ".join(spread([run[p][m] for run in runs]) for m in ("mAP", "rank1")) for p in protocols]
        lines.append([row.name, *ours, *(told(row.paper.get(name)) for name in measured_by_paper)])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def told(numbers: Mapping[str, float] | None) -> str:
    """A paper's numbers in a cell."""
    if numbers is None:
        return "-"
    more = f" (rank-5: {numbers['rank5']})" if "rank5" in numbers else ""
    return f"{numbers.get('mAP', '-')} / {numbers['rank1']}{more}"


def spread(values: Sequence[float]) -> str:
    """Mean and, from two values on, sample standard deviation, in per cent."""
    if not values:
        return "-"
    mean = f"{100 * np.mean(values):.1f}"
    return mean if len(values) == 1 else f"{mean} ± {100 * np.std(values, ddof=1):.1f}"


def inequalities(table: Table, results: Mapping[str, Sequence[Metrics]]) -> str:
    """Which of the paper's orderings of two rows by mAP hold for our means, in words; "" where there is none.

    The paper's side is the first thing that its rows have mAP for, ours the table's protocol.
    """
    measured = next((name for row in table.rows for name, numbers in row.paper.items() if "mAP" in numbers), None)
    both = [row for row in table.rows if measured in row.paper and results.get(row.name)]
    if measured is None or len(both) < 2:
        return ""
    protocols = results[both[0].name][0]
    protocol = next((name for name in protocols if name == table.protocol), next(iter(protocols)))
    ours = {row.name: float(np.mean([run[protocol]["mAP"] for run in results[row.name]])) for row in both}
    paper = {row.name: row.paper[measured]["mAP"] for row in both}
    pairs = [(a.name, b.name) for a in both for b in both if paper[a.name] < paper[b.name]]
    against = [f"{a} < {b}" for a, b in pairs if not ours[a] < ours[b]]
    counted = f"{len(pairs) - len(against)} of the paper's {len(pairs)} orderings of two rows by mAP ({measured})"
    missed = f"; not: {', '.join(against)}" if against else ""
    return f"{counted} hold here by mean mAP ({protocol}){missed}.\n"
