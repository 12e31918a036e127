"""A contact sheet of one label: image, the tool's label and the truth's side by side, from best to worst."""

from collections.abc import Mapping

import numpy as np

from partreid.drawing import label_pictures, sheets
from partreid.drawing.label_views import VIEWS
from partreid.quality.base import Measure
from partreid.quality.images import Images
from partreid.quality.side import Side
from partreid.storage.cache import OK

PARTS = 8  # the grouping that pifpaf's fields are coloured by


def choose(score: np.ndarray, able: np.ndarray) -> list[tuple[str, int]]:
    """Eight images to look at, best first: what each one is, and its number.

    The two best, four about the median and the two worst by score (n,), among those that have one (not NaN) and are
    `able` (bool (n,)); of equal ones the first is the better. Fewer when there are fewer.
    """
    rows = np.flatnonzero(able & ~np.isnan(score))
    rows = rows[np.argsort(-score[rows], kind="stable")]
    n = len(rows)
    names = dict.fromkeys(range(n // 2 - 2, n // 2 + 2), "median")
    names |= {n - 2: "worst", n - 1: "worst", 0: "best", 1: "best"}
    return [(names[place], int(rows[place])) for place in sorted(names) if 0 <= place < n]


def sheet(
    label: str,
    measure: Measure,
    images: Images,
    tool: Side,
    truth: Side,
    score: np.ndarray,
    groups: Mapping[str, np.ndarray],
) -> np.ndarray | None:
    """The label's sheet, uint8 RGB (H, W, 3); None when there is no image on which both sides found somebody.

    score: float (N,), the measure's. groups: group -> bool (N,), named over each image that is in them.
    """
    view = VIEWS[label]
    tiles = []
    for name, row in choose(score, (tool.status == OK) & (truth.status == OK)):
        image, ids = images.read(row), np.array([row])
        panels = {"image": label_pictures.original(image)}
        for side in (tool, truth):
            values = {member: array[0] for member, array in side.arrays(ids).items()}
            drawn = label_pictures.label(view, image, values, int(values["status"]), header=side.header, parts=PARTS)
            panels[", ".join([side.name, *view.says(values)])] = drawn.get(view.main, next(iter(drawn.values())))
        within = [group for group, mask in groups.items() if mask[row] and group != "all"]
        tiles.append(sheets.tile(", ".join([f"{name} {score[row]:.2f}", *within, f"image {row}"]), panels))
    if not tiles:
        return None
    heading = f"{label}: {tool.name} beside {truth.name}, by {measure.scored}"
    return sheets.sheet(heading, tiles, view.legend(PARTS), view.note)
