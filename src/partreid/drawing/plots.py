"""Line plots with matplotlib: as inline SVG that takes the page's text colour, and as PNG on white."""

import io
import re
from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

# after Okabe and Ito, the blue lighter: told apart by colour-blind readers, readable on white and on black
COLOURS = ("#1f83c4", "#e08a00", "#009e73", "#cc5fa0", "#d55e00", "#56b4e9")
MARKERS = "osD^vP"
LEAST = 10  # ranks of a CMC that are shown
DPI = 130  # of pictures in pixels
INK = "#23262b"
FADED = "#8a8f98"
STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": FADED,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": FADED,
    "grid.alpha": 0.25,
    "grid.linewidth": 0.7,
    "text.color": INK,
    "xtick.color": FADED,
    "ytick.color": FADED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "svg.fonttype": "none",  # text stays text: small, selectable, in the page's font
}
TITLES = {
    "loss": "Loss, the sum",
    "identity": "Identity loss",
    "triplet": "Triplet loss",
    "attention": "Part attention loss",
    "learning_rate": "Learning rate",
    "images_per_second": "Images per second",
}


class Laid(Figure):
    """A figure that is drawn once as it is saved: matplotlib draws one with a layout twice, the first time unseen."""

    def draw(self, renderer: RendererBase) -> None:
        layout = self.get_layout_engine()
        if self.axes and isinstance(layout, ConstrainedLayoutEngine) and self.canvas.is_saving():
            layout.execute(self)  # all that counts of the unseen one; for the other matplotlib takes the layout away
        else:
            super().draw(renderer)


def cmc(curves: Mapping[str, np.ndarray]) -> Figure:
    """CMC curves. curves: protocol -> float (K,), entry k = share of queries with a match in the first k + 1."""
    with mpl.rc_context({**STYLE, "font.size": 9}):
        longest = max(map(_told, curves.values()), default=1)
        curves = {name: values[:longest] for name, values in curves.items()}
        step = 5 if longest <= 20 else 10
        ticks = [1, *range(step, longest + 1, step)]
        figure = Laid(figsize=(4.8, 3.2), layout="constrained")
        axes = figure.add_subplot()
        for number, (name, values) in enumerate(curves.items()):
            axes.plot(
                np.arange(1, len(values) + 1),
                values,
                color=COLOURS[number % len(COLOURS)],
                marker=MARKERS[number % len(MARKERS)],
                markersize=5,
                markevery=[rank - 1 for rank in ticks if rank <= len(values)],
                linewidth=1.8,
                label=name,
            )
        axes.set(xlabel="rank k", ylabel="queries with a match in the first k")
        axes.set_ylim(top=1.02)
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %", decimals=0))
        axes.set_xticks(ticks)
        figure.legend(loc="outside lower center", ncols=2)  # below, where no curve runs
        return figure


def _told(values: np.ndarray) -> int:
    """How many ranks of a CMC (K,) are shown: up to where it rises no more, but at least LEAST where it has them."""
    rises = int(np.flatnonzero(np.diff(values)).max(initial=-1)) + 2
    return min(len(values), max(rises, LEAST))


def curve(name: str, steps: np.ndarray, values: np.ndarray) -> Figure:
    """One training curve. steps: (T,) epochs from 0; values: (T,)."""
    with mpl.rc_context(STYLE):
        figure = Laid(figsize=(3.5, 2.2), layout="constrained")
        _draw(figure.add_subplot(), name, steps, values)
        return figure


def curves(series: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> Figure:
    """All training curves in one picture, three in a row; a word where there are none."""
    with mpl.rc_context(STYLE):
        rows = max(-(-len(series) // 3), 1)
        figure = Laid(figsize=(10.5, 2.3 * rows), layout="constrained")
        if not series:
            figure.text(0.5, 0.5, "trained for 0 epochs", ha="center")
        for place, name in enumerate(in_order(series), start=1):
            _draw(figure.add_subplot(rows, 3, place), name, *series[name])
        return figure


def in_order(names: Mapping[str, object]) -> list[str]:
    """The order of the panels: that of TITLES, then what else there is by name."""
    return [name for name in TITLES if name in names] + sorted(set(names) - set(TITLES))


def _draw(axes: Axes, name: str, steps: np.ndarray, values: np.ndarray) -> None:
    axes.plot(
        steps + 1,
        values,
        color=COLOURS[0],
        linewidth=1.8,
        marker="o" if len(steps) <= 30 else "",  # a longer run is a line; a single epoch would be invisible without
        markersize=3.5,
    )
    axes.set_title(TITLES.get(name, name.replace("_", " ").capitalize()))
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True, min_n_ticks=1))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 5, 10]))
    if name == "learning_rate":
        axes.yaxis.set_major_formatter(FuncFormatter(_short))
    if np.isfinite(values).any() and np.nanmin(values) >= 0:
        axes.set_ylim(0, 1.08 * np.nanmax(values) or None)


def _short(value: float, _: object) -> str:
    return f"{value:.1e}".replace(".0e", "e").replace("e-0", "e-") if value else "0"


def svg(figure: Figure, salt: str) -> str:
    """Inline SVG. Text and lines in INK become `currentColor`, so the plot follows the page's light or dark colours.

    `salt` keeps the ids of several plots on one page apart; the same figure and salt give the same text.
    """
    buffer = io.StringIO()
    with mpl.rc_context({**STYLE, "svg.hashsalt": salt}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]  # no XML prolog inside HTML
    text = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", text, flags=re.DOTALL)  # a style would leak out
    text = re.sub(r'<g id="[^"]*"', "<g", text)  # the same ids in every figure, and nothing refers to them
    return text.replace(INK, "currentColor").strip()


def png(figure: Figure) -> bytes:
    """PNG on white, of DPI dots per inch."""
    buffer = io.BytesIO()
    with mpl.rc_context(STYLE):
        figure.savefig(buffer, format="png", dpi=DPI, facecolor="white", metadata={"Software": None})
    return buffer.getvalue()


def pixels(figure: Figure) -> np.ndarray:
    """The same as RGB uint8 (H, W, 3)."""
    figure.set_dpi(DPI)
    canvas = FigureCanvasAgg(figure)
    with mpl.rc_context(STYLE):
        canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
