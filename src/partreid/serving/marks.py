"""What a person called right or wrong, as CSV for spreadsheets."""

import csv
import io
from collections.abc import Sequence
from typing import Any

from partreid.datasets.walk import storable
from partreid.errors import UserError
from partreid.search.gallery import Gallery
from partreid.serving.photos import number

COLUMNS = (
    "photo", "left", "top", "right", "bottom", "image", "name", "camera", "rank", "distance", "called_same", "mark",
)  # fmt: skip
MARKS = ("right", "wrong")
MOST = 10_000
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")  # what a spreadsheet takes a cell for one by


def table(marks: Any, gallery: Gallery) -> str:
    """CSV with a line per mark. The gallery's images are named by what is known of them here, by their row.

    marks: a list of {photo, box, row, rank, distance, same, mark} as a browser sends it. UserError when it is not.
    """
    if not isinstance(marks, list) or len(marks) > MOST:
        raise UserError(f"marks are a list of at most {MOST}")
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for mark in marks:
        writer.writerow(_line(mark, gallery))
    return file.getvalue()


def _line(mark: Any, gallery: Gallery) -> list[str]:
    try:
        photo, row, box, said = str(mark["photo"]), mark["row"], mark["box"], mark["mark"]
        numbers: Sequence[Any] = [*box, mark["rank"], *([mark["distance"]] if mark["distance"] is not None else [])]
        good = said in MARKS and type(row) is int and 0 <= row < len(gallery) and len(box) == 4
        good = good and all(map(number, numbers)) and storable(photo)
        same = {True: "yes", False: "no", None: ""}[mark["same"]]
    except (KeyError, TypeError, IndexError) as error:
        raise UserError("a mark has photo, box, row, rank, distance, same and mark") from error
    if not good:
        raise UserError("a mark has a row of the gallery, four numbers of a box, and is right or wrong")
    distance = "" if mark["distance"] is None else f"{mark['distance']:.6f}"
    known = (str(gallery.paths[row]), gallery.names[row], gallery.cameras[row])
    texts = [cell(each) for each in (photo, *known)]
    return [texts[0], *(f"{each:g}" for each in box), *texts[1:], f"{mark['rank']:g}", distance, same, said]


def cell(text: str) -> str:
    """A text that no spreadsheet takes for a formula: with an apostrophe before what one begins with."""
    return f"'{text}" if text.lstrip(" ").startswith(FORMULA) else text
