"""The HTML page: one file, pictures inlined, no script, nothing loaded from elsewhere."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from markupsafe import Markup

from partreid.drawing import pages, pictures, plots
from partreid.drawing.colours import PART_COLOURS
from partreid.drawing.label_marks import heat
from partreid.report.attention import Looks
from partreid.report.context import Figure
from partreid.report.inputs import Curve, Results
from partreid.report.pipeline import Lane, Stage, lanes
from partreid.report.ranking import Hit, Ranking

SHARES = {"mAP": "mAP", "mINP": "mINP", "rank1": "rank-1", "rank5": "rank-5", "rank10": "rank-10", "rank20": "rank-20"}
COUNTS = {"queries": "queries", "gallery": "gallery", "skipped": "skipped"}
ROW, LANE, DOT = 72, 16, 10  # of the pipeline drawing, pixels: a stage's height, a lane's width, half a station


class Album(Protocol):
    """The images by image id: thumbnails uint8 (H, W, 3) of one size, who and where in a few words, and the files."""

    paths: list[str]

    def thumb(self, image_id: int) -> np.ndarray: ...

    def name(self, image_id: int) -> str: ...


@dataclass(frozen=True)
class Picture:
    """An <img>: its data URI, text alternative and file. frame: right, wrong or plain. below: lines under it.

    apart: whether ranks were left out before it.
    """

    src: str
    alt: str
    file: str
    frame: str = "plain"
    below: tuple[str, ...] = ()
    apart: bool = False


@dataclass(frozen=True)
class Line:
    """A row of pictures with its heading and a note."""

    heading: str
    note: str
    pictures: list[Picture]


@dataclass(frozen=True)
class Facts:
    """A titled list of names and values."""

    title: str
    rows: list[tuple[str, str]]


def render(
    title: str,
    subtitle: str,
    results: Results,
    curves: Mapping[str, Curve],
    rankings: Mapping[str, Sequence[Ranking]],
    looks: Looks,
    stages: Sequence[Stage],
    facts: Sequence[Facts],
    commands: Sequence[str],
    album: Album,
    notes: Sequence[str] = (),
    figures: Sequence[Figure] = (),
) -> str:
    """The whole page as HTML text.

    rankings: protocol -> queries to show. stages: the pipeline, each after what it needs. facts: seed, hashes,
    parameters. commands: shell lines that make the run again. notes: said above the attention maps.
    figures: the method's own.
    """
    template = pages.templates(Path(__file__).parent).get_template("report.html")
    return template.render(
        title=title,
        subtitle=subtitle,
        style=pages.style(),
        shares=list(SHARES.values()),
        counts=list(COUNTS.values()),
        protocols=[_protocol(key, values, results.record) for key, values in results.metrics.items()],
        cmc=Markup(plots.svg(plots.cmc(results.cmc), "cmc")),
        curves=[
            (key, Markup(plots.svg(plots.curve(key, *curves[key]), key)), _told(key, curves[key]))
            for key in plots.in_order(curves)
        ],
        rankings={key: [_ranking(each, album) for each in chosen] for key, chosen in rankings.items()},
        label_kinds=list(looks.labels),
        parts=looks.names if looks.maps.shape[1] else (),
        colours={part: f"rgb{PART_COLOURS[part]}" for part in looks.names if looks.labels and part in PART_COLOURS},
        looks=[_look(looks, row, album) for row in range(len(looks.image_id))],
        notes=notes,
        figures=[(figure.title, figure.caption, pages.uri(figure.picture)) for figure in figures],
        stages=stages,
        row_height=ROW,
        lanes=Markup(drawing(lanes(stages), len(stages))),
        facts=facts,
        commands=commands,
    )


def percent(share: float | None) -> str:
    """A fraction in per cent with one decimal; a dash for none."""
    return "–" if share is None else f"{100 * share:.1f}"


def _protocol(key: str, values: Mapping[str, Any], record: Mapping[str, Any]) -> dict[str, Any]:
    text = record.get("protocols", {}).get(key, "")
    if nothing := values.get("incomparable"):
        text += f" ({nothing:,} of {values['queries']:,} queries could be compared with nothing: they rank at random)"
    return {
        "name": key,
        "text": text,
        "shares": [percent(values.get(share)) for share in SHARES],
        "counts": ["–" if values.get(count) is None else f"{values[count]:,}" for count in COUNTS],
    }


def _told(key: str, curve: Curve) -> str:
    _, values = curve
    return f"{plots.TITLES.get(key, key)}: from {values[0]:.3g} in the first to {values[-1]:.3g} in the last epoch"


def distance(value: float) -> str:
    """A distance with three digits; ∞ where no part could be compared."""
    return "∞" if math.isinf(value) else f"{value:.3f}"


def _ranking(ranking: Ranking, album: Album) -> Line:
    name = album.name(ranking.query)
    query = _picture(ranking.query, album, f"query: person {name}", below=("query", name))
    hits = [_hit(hit, place, ranking.hits, album) for place, hit in enumerate(ranking.hits)]
    note = f"AP {percent(ranking.ap)} %, first match at rank {ranking.first_match:,}"
    return Line(ranking.why, note, [query, *hits])


def _picture(image_id: int, album: Album, alt: str, **more: Any) -> Picture:
    return Picture(pages.uri(album.thumb(image_id)), alt, album.paths[image_id], **more)


def _hit(hit: Hit, place: int, hits: Sequence[Hit], album: Album) -> Picture:
    verdict, name = "right" if hit.match else "wrong", album.name(hit.image_id)
    return _picture(
        hit.image_id,
        album,
        f"rank {hit.rank}, {verdict}: person {name}, distance {distance(hit.distance)}",
        frame=verdict,
        below=(f"{'✓' if hit.match else '✗'} {hit.rank} · {distance(hit.distance)}", name),
        apart=place > 0 and hit.rank != hits[place - 1].rank + 1,
    )


def _look(looks: Looks, row: int, album: Album) -> dict[str, Any]:
    image_id = int(looks.image_id[row])
    image, name, file = album.thumb(image_id), album.name(image_id), album.paths[image_id]
    labels = []
    for kind, drawn in looks.labels.items():
        picture = drawn[row]
        fitted = None if picture is None else pictures.fit(picture, *image.shape[:2])
        labels.append(None if fitted is None else Picture(pages.uri(fitted), f"{kind} label", file))
    maps = []
    for part, values, visible in zip(looks.names, looks.maps[row], looks.visible[row], strict=False):  # maybe no maps
        alt, verdict = (f"{part}: visible", "right") if visible else (f"{part}: invisible", "wrong")
        maps.append(Picture(pages.uri(heat(image, values)), alt, file, verdict))
    return {"name": name, "image": _picture(image_id, album, f"person {name}"), "labels": labels, "maps": maps}


def drawing(paths: Sequence[Lane], count: int) -> str:
    """The pipeline's lanes as SVG: stage i is a station at height (i + 1/2) ROW, in the right-most column.

    The way to the next stage is the straight line; what skips stages runs left of it and turns in where it is used.
    """
    columns = max((lane.place for lane in paths), default=0)
    width, height = columns * LANE + 2 * DOT, count * ROW
    x0 = width - DOT

    def y(row: int) -> int:
        return row * ROW + ROW // 2

    lines = []
    for lane in paths:
        hue = plots.COLOURS[lane.source % len(plots.COLOURS)]
        if lane.source + 1 in lane.targets:
            lines.append(f'<path d="M{x0} {y(lane.source)}V{y(lane.source + 1)}" stroke="{hue}"/>')
        x = x0 - lane.place * LANE
        for target in lane.targets:
            if target > lane.source + 1:
                start, end, bend = y(lane.source), y(target), ROW // 3
                lines.append(
                    f'<path d="M{x0} {start}C{x0} {start + bend} {x} {start + bend // 3} {x} {start + bend + LANE}'
                    f'V{end - bend - LANE}C{x} {end - bend // 3} {x0} {end - bend} {x0} {end}" stroke="{hue}"/>'
                )
    dots = [
        f'<circle cx="{x0}" cy="{y(row)}" r="5" stroke="{plots.COLOURS[row % len(plots.COLOURS)]}"/>'
        for row in range(count)
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'aria-hidden="true">{"".join(lines + dots)}</svg>'
    )
