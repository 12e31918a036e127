"""Contact sheets for a README: ranking lists and attention maps as one picture. Images are RGB uint8 (H, W, 3)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from partreid.drawing.label_marks import heat
from partreid.drawing.pictures import BACKDROP, GREEN, GREY, INK, PAPER, RED, SOFT, fit, frame, text, text_width
from partreid.report.attention import Looks
from partreid.report.ranking import Ranking

Thumb = Callable[[int], np.ndarray]  # image_id -> RGB uint8 (H, W, 3)
HEIGHT, WIDTH = 160, 80  # of one picture, pixels
EDGE = 4  # of a frame
GAP = 8
MARGIN = 24
CELL_H, CELL_W = HEIGHT + 2 * EDGE, WIDTH + 2 * EDGE


@dataclass(frozen=True)
class Cell:
    """A picture of a sheet. good: True = green frame, False = red frame, None = grey frame. below: a line under it."""

    image: np.ndarray
    good: bool | None
    below: str = ""
    gap: bool = False  # leave a space before it


@dataclass(frozen=True)
class Row:
    """A line of a sheet: a heading and a note beside it on the left, then the cells."""

    heading: str
    note: Sequence[str]
    cells: Sequence[Cell]


def colour_of(good: bool | None) -> tuple[int, int, int]:
    """The frame's colour of a right (True), wrong (False) or neither (None) picture."""
    return GREY if good is None else GREEN if good else RED


def sheet(rows: Sequence[Row], columns: Sequence[str] = ()) -> np.ndarray:
    """Draw rows of framed pictures on white: (H, W, 3). columns: headings above the cells, if any."""
    side = max((text_width(line, 14) for row in rows for line in row.note), default=0)
    side = max([side, *(text_width(row.heading, 15, 600) for row in rows)]) + 2 * GAP
    widest = max((_place(row.cells, len(row.cells)) for row in rows), default=0)
    widest = max(widest, len(columns) * (CELL_W + GAP))
    below = 20 if any(cell.below for row in rows for cell in row.cells) else 0
    top = MARGIN + (22 if columns else 0)
    step = CELL_H + below + 2 * GAP
    canvas = np.full((top + step * len(rows) - 2 * GAP + MARGIN, 2 * MARGIN + side + widest - GAP, 3), PAPER, np.uint8)
    for number, name in enumerate(columns):
        x = MARGIN + side + number * (CELL_W + GAP) + CELL_W // 2
        text(canvas, name, x - text_width(name, 13) // 2, MARGIN + 4, 13, colour=SOFT)
    for number, row in enumerate(rows):
        y = top + number * step
        text(canvas, row.heading, MARGIN, y + 20, 15, 600)
        for line, words in enumerate(row.note):
            text(canvas, words, MARGIN, y + 42 + 20 * line, 14, colour=SOFT)
        for place, cell in enumerate(row.cells):
            x = MARGIN + side + _place(row.cells, place)
            canvas[y : y + CELL_H, x : x + CELL_W] = frame(fit(cell.image, HEIGHT, WIDTH), colour_of(cell.good), EDGE)
            middle = x + CELL_W // 2 - text_width(cell.below, 13) // 2
            text(
                canvas,
                cell.below,
                middle,
                y + CELL_H + 16,
                13,
                colour=INK if cell.good is None else colour_of(cell.good),
            )
    return canvas


def _place(cells: Sequence[Cell], number: int) -> int:
    """Where cell `number` starts, in pixels right of the first cell."""
    return number * (CELL_W + GAP) + 2 * GAP * sum(cell.gap for cell in cells[: number + 1])


def rankings(chosen: Sequence[Ranking], thumb: Thumb, each: int = 2) -> np.ndarray:
    """The rankings of one protocol as a sheet, `each` of the best, random and worst queries: query, then gallery."""
    rows = []
    for why in dict.fromkeys(ranking.why for ranking in chosen):
        for ranking in [ranking for ranking in chosen if ranking.why == why][:each]:
            cells = [Cell(thumb(ranking.query), None, "query")]
            for hit in ranking.hits:
                late = bool(hit.rank > len(cells))  # ranks were left out before it
                cells.append(Cell(thumb(hit.image_id), hit.match, str(hit.rank), gap=late or len(cells) == 1))
            note = [f"AP {100 * ranking.ap:.1f} %", f"first match: {ranking.first_match:,}"]
            rows.append(Row(f"{why.capitalize()} query", note, cells))
    return sheet(rows)


def looks(shown: Looks, thumb: Thumb) -> np.ndarray:
    """Test images, their labels and attention maps as a sheet; green frame: visible part, red: invisible."""
    rows = []
    for row, image_id in enumerate(shown.image_id.tolist()):
        image = thumb(image_id)
        cells = [Cell(image, None)]
        for drawn in shown.labels.values():
            picture = drawn[row]
            cells.append(Cell(np.full_like(image, BACKDROP) if picture is None else picture, None))
        pairs = zip(shown.maps[row], shown.visible[row].tolist(), strict=False)  # no maps, no pictures
        rows.append(Row("", (), [*cells, *(Cell(heat(image, values), visible) for values, visible in pairs)]))
    columns = ["image", *(f"{kind} label" for kind in shown.labels)]
    if shown.maps.shape[1]:
        columns += [name.replace("_", " ") for name in shown.names]
    return sheet(rows, columns)
