"""A paper's ablation table as experiments: what to run, and the table beside the paper's numbers.

ablations.yaml holds paper -> model, tables and, by default the first, the `protocol` that its numbers are set against
on a data set that is not the paper's; table -> title and rows; row -> name, `set` (parameter -> value) and `paper`
(what the paper measured, a key of MEASURED -> those of rank1, rank5, rank10 and mAP that it gives, in per cent). A
table or a row may have a `model` of its own.
How experiments are run: partreid.experiments.queue.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from partreid import params
from partreid.errors import UserError, choose
from partreid.experiments import overrides
from partreid.experiments.cells import spread, told
from partreid.experiments.shown import Metrics

NAMES = {"mAP": "mAP", "rank1": "rank-1"}
RANKS = {"rank5": "rank-5", "rank10": "rank-10"}
# what the papers' columns measured -> our data set, and the protocol of it that measures the same
MEASURED = {
    "Market-1501": ("market1501", "market"),
    "Market-1501, single query": ("market1501", "market"),
    "Market-1501, multiple query": ("market1501_multi_query", "multi-query-average"),
    "DukeMTMC-reID": ("dukemtmc", "duke"),
    "CUHK03 detected": ("cuhk03_detected", "new"),
    "CUHK03 labelled": ("cuhk03_labeled", "new"),
    "MARS": ("mars", "official-average"),
    "Occluded-Duke": ("occluded_duke", "occluded"),
    "Occluded-ReID": ("occluded_reid", "occluded"),
    "P-DukeMTMC": ("p_dukemtmc", "occluded"),
    "LTCC, cross-clothes": ("ltcc", "cloth-changing"),
    "PRCC, cross-clothes": ("prcc", "cross-clothes-single-shot"),  # FSAM's
    "PRCC cross-clothes": ("prcc", "cross-clothes-multi-shot"),  # PAH-Net's
    "Celeb-reID": ("celeb_reid", "celeb"),
    "VC-Clothes general": ("vc_clothes", "general"),
    "VC-Clothes cross-clothes": ("vc_clothes", "cross-clothes"),
}


@dataclass(frozen=True)
class Row:
    """values: dotted path in params.yaml -> value. paper: what was measured -> {rank1, rank5, rank10, mAP}, per cent.

    model: where it is not the table's.
    """

    name: str
    values: Mapping[str, Any]
    paper: Mapping[str, Mapping[str, float]]
    model: str | None = None


@dataclass(frozen=True)
class Table:
    """One table of one paper. protocol: which of ours its numbers are set against where the data set is not its own."""

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
    """Table `table` of `paper` from ablations.yaml. UserError when the file is none, or lacks it or a part of it."""
    return found(params.told(path), path, paper, table)


def found(papers: Mapping[str, Any], path: Path, paper: str, table: str) -> Table:
    """The same of what the file holds."""
    block = choose(papers, paper, "paper")
    try:
        content = choose(block["tables"], table, f"table of {paper}")
        model = content.get("model", block["model"])
        rows = []
        for row in content["rows"]:
            own = row.get("model", model)
            values = {key if "." in key else f"methods.{own}.{key}": value for key, value in row["set"].items()}
            numbers = row.get("paper", {})
            for name in numbers:
                choose(MEASURED, name, f"measurement ({path}: {paper}, table {table}, {row['name']})")
            rows.append(Row(row["name"], values, numbers, own))
        return Table(paper, table, content["title"], model, rows, block.get("protocol"))
    except KeyError as error:
        raise UserError(f"{path}: {paper}, table {table}: there is no {error}; the other tables have it") from error


def undisputed(table: Table, changes: overrides.Changes) -> None:
    """UserError where -S, whose changes these are, sets what a row of the table has a value of its own for."""
    for row in table.rows:
        for both in changes.keys() & row.values.keys():
            raise UserError(f"-S {both}: the row {row.name} has a value of its own; leave it out, or choose --rows")


def experiment(values: Mapping[str, Any], table: Table, row: Row, seed: int) -> dict[str, Any]:
    """All that the row's experiment changes in params.yaml, beside the data set: dotted path -> value.

    values: what params.yaml holds. UserError for a parameter that it does not have, or that the recipe would override.
    """
    where = f"ablations.yaml: {table.paper}, table {table.name}, {row.name}"
    for path, value in row.values.items():
        overrides.at(values, path, where)
        overrides.in_force(values, path, value, where)
    return {"model": row.model or table.model, "train.seed": seed, **row.values}


def text(table: Table, results: Mapping[str, Sequence[Metrics]], seeds: int, dataset: str) -> str:
    """The table, and below it which of the paper's orderings hold on the data set; see `markdown`, `inequalities`."""
    return "\n".join(filter(None, [markdown(table, results, seeds), inequalities(table, results, dataset)]))


def markdown(table: Table, results: Mapping[str, Sequence[Metrics]], seeds: int) -> str:
    """The table, mAP / rank-1 in per cent, mean and standard deviation over seeds, then the paper's numbers.

    results: row's name -> the metrics of its seeds; a row without any is left open. seeds: how many were asked for.
    """
    protocols = list(dict.fromkeys(name for runs in results.values() for run in runs for name in run))
    measured_by_paper = list(dict.fromkeys(name for row in table.rows for name in row.paper))
    further = [rank for rank in RANKS if any(rank in numbers for row in table.rows for numbers in row.paper.values())]
    header = ["", *protocols, *(f"paper: {name}" for name in measured_by_paper)]
    lines = [header, ["---"] * len(header)]
    for row in table.rows:
        runs = results.get(row.name, [])
        ours = [_ours([run[p] for run in runs], further) for p in protocols]
        some = f" ({len(runs)} of {seeds} seeds)" if 0 < len(runs) < seeds else ""
        lines.append([f"{row.name}{some}", *ours, *(with_ranks(row.paper.get(name)) for name in measured_by_paper)])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _ours(runs: Sequence[Mapping[str, float]], further: Sequence[str]) -> str:
    """mAP / rank-1 of some seeds by one protocol, and further ranks."""
    more = [f"{RANKS[rank]}: {spread([run[rank] for run in runs])}" for rank in further if runs and rank in runs[0]]
    both = " / ".join(spread([run[name] for run in runs]) for name in NAMES)
    return both + (f" ({', '.join(more)})" if more else "")


def with_ranks(numbers: Mapping[str, float] | None) -> str:
    """A paper's numbers in a cell, with the further ranks that it gives."""
    more = [f"{RANKS[name]}: {numbers[name]}" for name in RANKS if numbers and name in numbers]
    return told(numbers) + (f" ({', '.join(more)})" if more else "")


def comparable(table: Table, protocols: Iterable[str], dataset: str) -> dict[str, str]:
    """What the paper measured on this data set -> the protocol of ours that measures the same.

    On a data set that is not the paper's, the first thing that its rows have mAP for, and the table's protocol, by
    default the first of `protocols`.
    """
    columns = list(dict.fromkeys(name for row in table.rows for name in row.paper))
    same = {name: protocol for name in columns for of, protocol in [MEASURED[name]] if of == dataset}
    if same or not columns:
        return {name: protocol for name, protocol in same.items() if protocol in protocols}
    with_map = [name for name in columns if any("mAP" in row.paper.get(name, {}) for row in table.rows)]
    protocols = list(protocols)
    return dict.fromkeys(with_map[:1], table.protocol if table.protocol in protocols else protocols[0])


def inequalities(table: Table, results: Mapping[str, Sequence[Metrics]], dataset: str) -> str:
    """Which of the paper's orderings of two rows hold for our means, in words, a line for each of `comparable`.

    By mAP, or by rank-1 where the paper gives no mAP. "" where nothing can be compared.
    """
    protocols = dict.fromkeys(name for runs in results.values() for run in runs for name in run)
    pairs = comparable(table, protocols, dataset) if protocols else {}
    return "".join(_orderings(table, results, measured, protocol) for measured, protocol in pairs.items())


def _orderings(table: Table, results: Mapping[str, Sequence[Metrics]], measured: str, protocol: str) -> str:
    both = [row for row in table.rows if measured in row.paper and results.get(row.name)]
    if len(both) < 2:
        return ""
    by = "mAP" if all("mAP" in row.paper[measured] for row in both) else "rank1"
    ours = {row.name: float(np.mean([run[protocol][by] for run in results[row.name]])) for row in both}
    paper = {row.name: row.paper[measured][by] for row in both}
    pairs = [(a.name, b.name) for a in both for b in both if paper[a.name] < paper[b.name]]
    against = [f"{a} < {b}" for a, b in pairs if not ours[a] < ours[b]]
    word = NAMES[by]
    counted = f"{len(pairs) - len(against)} of the paper's {len(pairs)} orderings of two rows by {word} ({measured})"
    missed = f"; not: {', '.join(against)}" if against else ""
    return f"{counted} hold here by mean {word} ({protocol}){missed}.\n"
