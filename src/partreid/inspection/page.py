"""The HTML page: one file, pictures inlined, nothing loaded from elsewhere; filters are a few lines of plain script."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from partreid.drawing.colours import Legend
from partreid.drawing.pictures import jpeg
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
    environment = Environment(
        loader=FileSystemLoader(here), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["uri"] = uri
    style = (here.parent / "report" / "report.css").read_text(encoding="utf-8")
    return environment.get_template("page.html").render(
        title=title,
        subtitle=subtitle,
        lead=lead,
        style=Markup(style + (here / "page.css").read_text(encoding="utf-8")),
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
    return "data:image/jpeg;base64," + base64.b64encode(jpeg(picture, QUALITY)).decode()
