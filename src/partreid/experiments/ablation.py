"""A paper's ablation table as experiments: what to run, and the table beside the paper's numbers.

ablations.yaml holds paper -> model, tables and, where its numbers are not to be compared with a data set's first
protocol, the `protocol`; table -> title and rows; row -> name, `set` (parameter -> value) and `paper` (what the paper
measured -> those of rank1, rank5 and mAP that it gives, in per cent). A table or a row may have a `model` of its own.
How experiments are run: partreid.experiments.queue.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from partreid.errors import choose
from partreid.experiments import overrides
from partreid.experiments.queue import Metrics, spread, told
from partreid.params import Loader


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
        wanted = by_name if names is None else dict.fromkeys(names)
        chosen = [choose(by_name, name, f"row of table {self.name}") for name in wanted]
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


def experiment(values: Mapping[str, Any], table: Table, row: Row, seed: int) -> dict[str, Any]:
    """All that the row's experiment changes in params.yaml, beside the data set: dotted path -> value.

    values: what params.yaml holds. UserError for a parameter that it does not have, or that the recipe would override.
    """
    where = f"ablations.yaml: {table.paper}, table {table.name}, {row.name}"
    for path, value in row.values.items():
        overrides.at(values, path, where)
        overrides.in_force(values, path, value, where)
    return {"model": row.model or table.model, "train.seed": seed, **row.values}


def markdown(table: Table, results: Mapping[str, Sequence[Metrics]], seeds: int) -> str:
    """The table, mAP / rank-1 in per cent, mean and standard deviation over seeds, then the paper's numbers.

    results: row's name -> the metrics of its seeds; a row without any is left open. seeds: how many were asked for.
    """
    protocols = list(dict.fromkeys(name for runs in results.values() for run in runs for name in run))
    measured_by_paper = list(dict.fromkeys(name for row in table.rows for name in row.paper))
    header = ["", *protocols, *(f"paper: {name}" for name in measured_by_paper)]
    lines = [header, ["---"] * len(header)]
    for row in table.rows:
        runs = results.get(row.name, [])
        ours = [" / ".join(spread([run[p][m] for run in runs]) for m in ("mAP", "rank1")) for p in protocols]
        some = f" ({len(runs)} of {seeds} seeds)" if 0 < len(runs) < seeds else ""
        lines.append([f"{row.name}{some}", *ours, *(with_rank5(row.paper.get(name)) for name in measured_by_paper)])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def with_rank5(numbers: Mapping[str, float] | None) -> str:
    """A paper's numbers in a cell, rank-5 where it gives one."""
    return told(numbers) + (f" (rank-5: {numbers['rank5']})" if numbers and "rank5" in numbers else "")


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
