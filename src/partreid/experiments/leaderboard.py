"""All methods on one data set: the leaderboard as tables of text, as Markdown and as CSV.

Its pictures are report.leaderboard_pictures, its page report.leaderboard_page; costs come from speed_file.
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from partreid.experiments.cells import spread, told
from partreid.experiments.published import Published
from partreid.experiments.shown import Metrics
from partreid.experiments.speed_file import Cost
from partreid.methods import METHODS

MEASURES = {"mAP": "mAP", "rank1": "Rank-1", "mINP": "mINP"}
BASELINE = "bot"
WORDS = 30  # letters: a longer cell holds words


@dataclass(frozen=True)
class Entry:
    """A method's results, a seed each, its cost, if it has been measured, and what is known of the seeds' trainings.

    trainings: as partreid.training.budget tells them. otherwise: as partreid.experiments.particulars.
    """

    model: str
    runs: Sequence[Metrics]
    cost: Cost | None
    trainings: Sequence[Mapping[str, Any]] = ()
    otherwise: str = "-"


@dataclass(frozen=True)
class Board:
    """revision: of the code that the results belong to. device: where, and by which code, the costs were measured."""

    dataset: str
    recipe: str
    seeds: Sequence[int]
    revision: str
    entries: Sequence[Entry]
    published: Sequence[Published]
    device: str

    @property
    def title(self) -> str:
        """Which methods on what."""
        return f"{compared(entry.model for entry in self.entries)} on {self.dataset}"

    @property
    def protocols(self) -> list[str]:
        """Those that there are results of."""
        return list(dict.fromkeys(name for entry in self.entries for run in entry.runs for name in run))

    @property
    def subtitle(self) -> str:
        """What all rows have in common."""
        return f"recipe {self.recipe}, seeds {', '.join(map(str, self.seeds))}, revision {self.revision}"


@dataclass(frozen=True)
class Table:
    """A table to print. best: (row, column) of the cells to be emphasised."""

    title: str
    lead: str
    header: list[str]
    rows: list[list[str]]
    best: frozenset[tuple[int, int]] = frozenset()

    @property
    def worded(self) -> set[int]:
        """The columns that hold words rather than numbers, which a page breaks into lines."""
        return {column for row in self.rows for column, cell in enumerate(row) if len(cell) > WORDS}


def compared(models: Iterable[str]) -> str:
    """Methods in a title: their names, unless they are all that there are."""
    named = list(models)
    return "All methods" if set(METHODS) <= set(named) else ", ".join(named)


def values(entry: Entry, protocol: str, measure: str) -> list[float]:
    """A measure of every seed that has it, 0..1."""
    return [run[protocol][measure] for run in entry.runs if protocol in run]


def accuracy(board: Board, measure: str) -> Table:
    """A measure by every protocol, per cent."""
    header, rows, means = ["", *board.protocols], [], []
    for entry in board.entries:
        found = [values(entry, protocol, measure) for protocol in board.protocols]
        some = f" ({len(entry.runs)} of {len(board.seeds)} seeds)" if len(entry.runs) < len(board.seeds) else ""
        rows.append([f"{entry.model}{some}", *map(spread, found)])
        means.append([np.mean(each) if each else np.nan for each in found])
    best = {
        (row, column + 1)
        for column in range(len(board.protocols))
        for row in range(len(rows))
        if means[row][column] == np.nanmax([line[column] for line in means])
    }
    return Table(MEASURES[measure], "", header, rows, frozenset(best))


BUDGET_LEAD = (
    "What each method's training had, pre-trainings not counted, and the cross-entropy of one of its identity "
    "classifiers in the last epoch, mean over its classifiers and seeds, beside chance, the logarithm of the number of "
    "training persons: what a classifier has that knows nothing. A method that ends near chance has not converged, and "
    "its place in these tables says little. Label smoothing keeps the cross-entropy above 0. Otherwise: what the "
    "recipe gives this method alone, because its paper needs it; all else (input, augmentation, optimiser, schedule) "
    "is alike."
)


def budget(entries: Sequence[Entry]) -> Table:
    """Images seen, steps, and how far the classifiers came, of the entries that say so."""
    header = ["", "images seen", "steps", "cross-entropy per classifier", "chance", "otherwise"]
    rows = []
    for entry in entries:
        if entry.trainings:
            seen, steps, reached, chance = spent(entry.trainings)
            told = "no classifier" if reached is None else f"{reached:.2f}"
            rows.append([entry.model, f"{seen:,.0f}", f"{steps:,.0f}", told, f"{chance:.2f}", entry.otherwise])
    return Table("Budget", BUDGET_LEAD, header, rows)


def spent(trainings: Sequence[Mapping[str, Any]]) -> tuple[float, float, float | None, float]:
    """Images seen, steps, cross-entropy per classifier (None without any) and chance, means over seeds."""
    seen, steps, chance = (float(np.mean([each[name] for each in trainings])) for name in ("images", "steps", "chance"))
    reached = [each["cross_entropy"] for each in trainings if each["cross_entropy"] is not None]
    return seen, steps, float(np.mean(reached)) if reached else None, chance


COST_LEAD = (
    "Parameters of the network that a test needs, without what only training has. Images per second of the network "
    "alone, on images in memory, all methods taking turns in one run on {device}; in brackets against {base}. "
    "Pre-training comes on top. Labels: the time per image of the tools and stages that the method learns from, and "
    "how many test images {base} embeds in it. Other work on the machine disturbs times: trust the ratios, and small "
    "differences of them not at all."
)


def cost(costs: Mapping[str, Cost], device: str) -> Table:
    """Size and speed, absolute and against the baseline (or the first method)."""
    base = BASELINE if BASELINE in costs else next(iter(costs))
    header = ["", "parameters", "numbers per image", "training, images/s", "test, images/s", "labels, ms per image"]
    rows = [
        [
            model,
            f"{each.parameters / 1e6:.2f} M",
            f"{each.numbers:,}",
            f"{each.train:.1f} ({each.train / costs[base].train:.2f})",
            f"{each.test:.1f} ({each.test / costs[base].test:.2f})",
            labelled(each, costs[base]),
        ]
        for model, each in costs.items()
    ]
    return Table("Cost", COST_LEAD.format(device=device, base=base), header, rows)


def labelled(each: Cost, base: Cost) -> str:
    """The labels' cost and which they are."""
    if not each.labels:
        return "-"
    time = "not measured" if each.label is None else f"{1e3 * each.label:.1f} ({each.label * base.test:.1f})"
    at_test = f"; in the test too: {', '.join(each.labels_at_test)}" if each.labels_at_test else ""
    return f"{time}: {', '.join(each.labels)}{at_test}"


def beside(board: Board) -> Table:
    """The papers' numbers by the same protocols: mAP / rank-1."""
    names = list(dict.fromkeys(name for each in board.published for name in each.numbers))
    noted = any(each.note for each in board.published)
    header = ["", "row", "source", *names, *(["note"] if noted else [])]
    rows = []
    for each in board.published:
        row = [each.method, each.row, each.source, *(told(each.numbers.get(name)) for name in names)]
        rows.append([*row, each.note or "-"] if noted else row)
    lead = "mAP / rank-1 by the same protocols, at the papers' own sizes, backbones and numbers of epochs."
    return Table("Published", lead, header, rows)


def tables(board: Board) -> list[Table]:
    """All that there is something for."""
    costs = {entry.model: entry.cost for entry in board.entries if entry.cost is not None}
    result = [accuracy(board, measure) for measure in MEASURES]
    if any(entry.trainings for entry in board.entries):
        result.append(budget(board.entries))
    if costs:
        result.append(cost(costs, board.device))
    if board.published:
        result.append(beside(board))
    return result


def markdown(board: Board) -> str:
    """The leaderboard."""
    lines = [f"# {board.title}", f"{board.subtitle}. Per cent, mean ± standard deviation over seeds."]
    for table in tables(board):
        lines += [f"## {table.title}", *([table.lead] if table.lead else []), grid(table)]
    return "\n\n".join(lines) + "\n"


def grid(table: Table) -> str:
    """A table alone, as Markdown."""
    rows = [
        [f"**{cell}**" if (number, column) in table.best else cell for column, cell in enumerate(row)]
        for number, row in enumerate(table.rows)
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in [table.header, ["---"] * len(table.header), *rows])


def as_csv(board: Board) -> str:
    """A line per method and protocol, accuracies in per cent: ours, then the papers', which have no spread."""
    fields = ["method", "source", "protocol", "seeds"]
    fields += [name for measure in MEASURES for name in (measure, f"{measure}_std")]
    fields += ["images_seen", "steps", "cross_entropy", "chance"]
    fields += ["parameters", "numbers", "train_images_per_second", "test_images_per_second", "label_seconds"]
    text = io.StringIO()
    writer = csv.DictWriter(text, fields, lineterminator="\n")
    writer.writeheader()
    for entry in board.entries:
        for protocol in board.protocols:
            line: dict[str, Any] = {"method": entry.model, "source": "ours", "protocol": protocol}
            line["seeds"] = len(values(entry, protocol, "mAP"))
            for measure in MEASURES:
                found = 100 * np.array(values(entry, protocol, measure))
                line[measure] = round(found.mean(), 3) if len(found) else ""
                line[f"{measure}_std"] = round(found.std(ddof=1), 3) if len(found) > 1 else ""
            if entry.trainings:
                known = ("" if number is None else round(number, 4) for number in spent(entry.trainings))
                line |= dict(zip(("images_seen", "steps", "cross_entropy", "chance"), known, strict=True))
            if entry.cost is not None:
                each = entry.cost
                speeds = (each.train, each.test, each.label)
                numbers = [each.parameters, each.numbers, *("" if v is None else float(f"{v:.4g}") for v in speeds)]
                line |= dict(zip(fields[-5:], numbers, strict=True))
            writer.writerow(line)
    for paper in board.published:
        for protocol, of in paper.numbers.items():
            some = {measure: of[measure] for measure in MEASURES if measure in of}
            source = f"{paper.source}, {paper.row}"
            writer.writerow({"method": paper.method, "source": source, "protocol": protocol, **some})
    return text.getvalue()
