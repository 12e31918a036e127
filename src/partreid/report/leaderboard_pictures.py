"""A leaderboard's pictures: accuracy by protocol, and accuracy against cost."""

from collections.abc import Callable, Mapping
from itertools import cycle

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from partreid.drawing.plots import COLOURS, INK, STYLE
from partreid.experiments.leaderboard import BASELINE, Board, Entry, values
from partreid.experiments.speed_file import Cost

# the baselines in grey, every paper in a colour of its own, whichever of them are shown
LOOKS: Mapping[str, tuple[str, str]] = {
    "bot": ("#6f757e", "o"),
    "pcb": ("#b4b9c0", "s"),
    "pabr": (COLOURS[0], "D"),
    "mpn": (COLOURS[1], "^"),
    "bpbreid": (COLOURS[2], "v"),
    "fsam": (COLOURS[3], "P"),
    "pah": (COLOURS[4], "X"),
}
MARKERS = "p*hH8<>"  # of methods that were added to these, which take the colours in turn, the last first
WIDE = 9.25  # inches: 1,200 pixels as PNG
LARGE = {**STYLE, "font.size": 12, "axes.titlesize": 13}


def looks(board: Board) -> dict[str, tuple[str, str]]:
    """Colour and marker of every method of a board: its own, or, where it has none, the next free ones."""
    new = [entry.model for entry in board.entries if entry.model not in LOOKS]
    spare = zip(cycle(reversed(COLOURS)), cycle(MARKERS))
    return {**LOOKS, **dict(zip(new, spare, strict=False))}


def by_protocol(board: Board) -> Figure:
    """mAP: bars in a group for every protocol, one for every method, a line of a standard deviation to either side."""
    with mpl.rc_context(LARGE):
        figure = Figure(figsize=(WIDE, 4.3), layout="constrained")
        axes = figure.add_subplot()
        shown = [entry for entry in board.entries if entry.runs]
        look = looks(board)
        width = 0.84 / max(len(shown), 1)
        for place, entry in enumerate(shown):
            found = [100 * np.array(values(entry, protocol, "mAP")) for protocol in board.protocols]
            x = np.arange(len(found)) + (place - (len(shown) - 1) / 2) * width
            means = [each.mean() if len(each) else 0.0 for each in found]
            axes.bar(x, means, 0.9 * width, color=look[entry.model][0], label=entry.model)
            several = [number for number, each in enumerate(found) if len(each) > 1]
            axes.errorbar(
                x[several],
                [means[number] for number in several],
                [found[number].std(ddof=1) for number in several],
                fmt="none",
                ecolor=INK,
                elinewidth=1.2,
                capsize=2.5,
            )
        axes.set_title(f"mAP on {board.dataset}, per cent")
        axes.set_xticks(range(len(board.protocols)), board.protocols)
        axes.tick_params(length=0)
        axes.grid(visible=False, axis="x")
        axes.spines["left"].set_visible(False)
        _legend(figure, axes)
        return figure


def against_cost(board: Board) -> Figure:
    """mAP by the first protocol over speed in the test and in training, as multiples of the baseline's speed.

    Only methods whose costs are known.
    """
    protocol = board.protocols[0]
    costed = [(entry, entry.cost) for entry in board.entries if entry.runs and entry.cost is not None]
    base, reference = next(((e, cost) for e, cost in costed if e.model == BASELINE), costed[0])
    speeds: Mapping[str, Callable[[Cost], float]] = {
        "In the test": lambda cost: cost.test / reference.test,
        "In training": lambda cost: cost.train / reference.train,
    }
    with mpl.rc_context(LARGE):
        figure = Figure(figsize=(WIDE, 4.3), layout="constrained")
        both = figure.subplots(1, 2, sharey=True)
        for axes, (title, speed) in zip(both, speeds.items(), strict=True):
            for entry, cost in costed:
                _point(
                    axes,
                    entry,
                    looks(board)[entry.model],
                    speed(cost),
                    100 * np.array(values(entry, protocol, "mAP")),
                )
            axes.set_title(title)
            axes.set_xlabel(f"images per second, {base.model} = 1")
            axes.margins(y=0.12)
            axes.set_xlim(0, 1.08 * max(speed(cost) for _, cost in costed))  # no marker on the edge
        both[0].set_ylabel(f"mAP, {protocol}, per cent")
        _legend(figure, both[0])
        return figure


def _point(axes: Axes, entry: Entry, look: tuple[str, str], speed: float, found: np.ndarray) -> None:
    """look: colour and marker. found: (seeds,), per cent."""
    colour, marker = look
    if len(found) > 1:
        axes.errorbar([speed], [found.mean()], [found.std(ddof=1)], color=colour, elinewidth=1.5, capsize=3)
    axes.scatter([speed], [found.mean()], 110, colour, marker=marker, edgecolors="white", zorder=3, label=entry.model)


def _legend(figure: Figure, axes: Axes) -> None:
    """Above the axes, in one line, where nothing is drawn."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        loc="outside upper center",
        ncols=len(labels),
        handlelength=1,
        handletextpad=0.5,
        columnspacing=1.4,
    )
