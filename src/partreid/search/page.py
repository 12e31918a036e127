"""The result of a search as one HTML page: pictures inlined, nothing loaded from elsewhere, no script."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from partreid.drawing import pages
from partreid.drawing.pictures import fit
from partreid.search.gallery import Gallery, Photos
from partreid.search.nearest import Hits
from partreid.tools.reading import picture

HEIGHT, WIDTH = 256, 128  # of a picture, pixels; shown at half of it


@dataclass(frozen=True)
class Found:
    """One gallery image. rank: one more than the images that are nearer, so equally near ones share it.

    name: what to call it, see Gallery. distance: None where no part could be compared. same: by the threshold; None
    without one. itself: its file is the photo's, byte for byte.
    """

    rank: int
    path: str
    name: str
    distance: float | None
    same: bool | None
    itself: bool


@dataclass(frozen=True)
class Answer:
    """A photo and what was found for it, nearest first."""

    path: str
    found: list[Found]


def answers(asked: Photos, hits: Hits, gallery: Gallery, threshold: float | None) -> list[Answer]:
    """What was found for each photo, (Q, k), with files and names."""
    result = []
    for photo, rows, distances in zip(asked, hits.row, hits.distance, strict=True):
        found = []
        for row, distance in zip(rows, distances, strict=True):
            if row >= 0:
                rank = int((distances < distance).sum()) + 1
                value = None if np.isinf(distance) else float(distance)
                same = None if threshold is None else bool(distance <= threshold)
                path = gallery.paths[row]
                sha1 = gallery.sha1[row] if gallery.sha1 else _sha1(path)  # a Parquet file does not say it
                itself = sha1 == photo["sha1"]
                found.append(Found(rank, str(path), gallery.names[row], value, same, itself))
        result.append(Answer(photo["path"], found))
    return result


def _sha1(file: Path) -> str:
    """Hex, of a file's bytes; empty where it cannot be read."""
    try:
        return hashlib.sha1(file.read_bytes()).hexdigest()
    except OSError:
        return ""


def render(
    subtitle: str, answers: Sequence[Answer], threshold: str, facts: Sequence[tuple[str, str]], command: str
) -> str:
    """The whole page as HTML text.

    threshold: what is to be said of it. facts: names and values of the record. command: makes the page again.
    """
    here = Path(__file__).parent
    template = pages.templates(here).get_template("search.html")
    return template.render(
        subtitle=subtitle,
        style=pages.style(here / "search.css"),
        answers=[_shown(answer) for answer in answers],
        threshold=threshold,
        facts=facts,
        command=command,
    )


def _shown(answer: Answer) -> dict[str, Any]:
    return {
        "name": Path(answer.path).name,
        "path": answer.path,
        "link": Path(answer.path).absolute().as_uri(),
        "picture": uri(Path(answer.path)),
        "same": sum(bool(found.same) for found in answer.found),
        "known": any(found.same is not None for found in answer.found),
        "found": [
            {
                "rank": found.rank,
                "name": found.name,
                "link": Path(found.path).absolute().as_uri(),
                "path": found.path,
                "distance": "∞" if found.distance is None else f"{found.distance:.3f}",
                "verdict": {None: "plain", True: "right", False: "plain"}[found.same],
                "itself": found.itself,
                "told": "the photo itself"
                if found.itself
                else {None: "", True: "same person", False: "further than the threshold"}[found.same],
                "first_beyond": found.same is False and (place == 0 or bool(answer.found[place - 1].same)),
                "picture": uri(Path(found.path)),
            }
            for place, found in enumerate(answer.found)
        ],
    }


def uri(path: Path) -> str:
    """A small picture of an image file as a data URI; a grey one where the file is gone."""
    image = picture(path)
    if image is None:
        image = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
    return pages.uri(fit(image, HEIGHT, WIDTH))
