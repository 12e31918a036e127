"""The HTML page: one file, pictures inlined, nothing loaded from elsewhere; filters are a few lines of plain script."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from partreid.drawing import pages
from partreid.drawing.colours import Legend
from partreid.inspection.stats import Bars, Facts, Table

QUALITY = 90  # of the pictures' JPEG: lower, and thin coloured lines blur


@dataclass(frozen=True)
class Strip:
    """Pictures beside each other, each uint8 RGB (H, W, 3) under its caption, after a name for all of them."""

    name: str
    pictures: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Card:
    """What is shown of one image."""

    image_id: int
    status: str  # a card is filtered by it
    split: str
    path: str
    value: float  # cards are sorted by it; NaN = unknown, last
    note: str  # the value and whatever else there is to say, in a few words
    strips: Sequence[Strip]


def render(
    title: str,
    subtitle: str,
    lead: str,
    tables: Sequence[Table],
    bars: Bars | None,
    legend: Legend,
    legend_note: str,
    cards: Sequence[Card],
    sorted_by: str,
    facts: Sequence[tuple[str, Facts]],
    command: str,
) -> str:
    """The whole page as HTML text.

    lead: which images these are. sorted_by: what the cards' value is. facts: titled lists. command: the shell line that
    makes the page again.
    """
    here = Path(__file__).parent
    environment = pages.templates(here)
    environment.filters["uri"] = uri
    return environment.get_template("page.html").render(
        title=title,
        subtitle=subtitle,
        lead=lead,
        style=pages.style(here / "page.css"),
        tables=tables,
        bars=bars,
        most=max([1, *(count for _, count in bars.bars)]) if bars else 1,
        legend={name: "rgb({}, {}, {})".format(*colour) for name, colour in legend.items()},
        legend_note=legend_note,
        cards=cards,
        statuses={name: sum(card.status == name for card in cards) for name in dict.fromkeys(c.status for c in cards)},
        splits=list(dict.fromkeys(card.split for card in cards)),
        sorted_by=sorted_by,
        facts=facts,
        command=command,
    )


def uri(picture: np.ndarray) -> str:
    """A picture as a data URI."""
    return pages.uri(picture, QUALITY)
