"""The plot of keypoint quality."""

from collections.abc import Mapping

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from partreid.drawing.plots import COLOURS, STYLE
from partreid.quality.keypoints import TITLES, WITHIN


def joints(details: Mapping[str, Mapping[str, Mapping[str, float]]], title: str) -> Figure:
    """A bar per joint and group of images, one panel per distance.

    details: group -> joint -> metric -> share (quality.keypoints.details).
    """
    names = list(dict.fromkeys(joint for group in details.values() for joint in group))
    with mpl.rc_context({**STYLE, "font.size": 9, "axes.grid.axis": "x"}):
        figure = Figure(figsize=(7.6, 5.4), layout="constrained")
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
        panels = figure.subplots(1, len(WITHIN), sharey=True)
        thick = 0.8 / len(details)
        for axes, (metric, alpha) in zip(panels, WITHIN.items(), strict=True):
            for number, (group, values) in enumerate(details.items()):
                lengths = [values.get(joint, {}).get(metric, np.nan) for joint in names]
                places = np.arange(len(names)) + thick * (number - (len(details) - 1) / 2)
                axes.barh(places, lengths, 0.92 * thick, color=COLOURS[number % len(COLOURS)], label=group)
            axes.set_title(TITLES[metric], fontsize=10)
            axes.set(xlabel=f"joints within {alpha:g} torso lengths", xlim=(0, 1))
            axes.xaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %", decimals=0))
        panels[0].set_yticks(range(len(names)), [name.replace("_", " ") for name in names])
        panels[0].invert_yaxis()
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(details))
        return figure
