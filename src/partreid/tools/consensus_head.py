"""Whether a head is seen, and the box around it: what partreid.tools.consensus gives as `head`.

Seen. A logistic regression on `traits`, fitted by stages/consensus.py on rendered people; where its probability is
below `head_from` there is no box.

Left, top, right. Where the head in our own network's map (partreid.tools.head_patch) falls through a half, between
cells. partreid.labels.heads sets them to whole cells of a person mask, near the ears. Where no cell is more head than
not, the box is that rule's.

Chin. A median regression on `chin_traits`, the least absolute error, as some patches are another person's head. The
rule takes a share of the stature below the ears, which knows no bent neck, beard or long hair; it was half of its
error.

On people of seed 11 whose pictures were worsened, cross-validated, the rule's boxes have mean IoU 0.810 with the true
ones, with the patch's edges 0.821, with its chin, too, 0.833. Tried and left out there: 12 traits of the chin instead
of 7 (0.833), all edges by such regressions (0.835).

Tried and left out for being seen: five traits without the joints' probability (MoveNet's strongest, the surest cells,
how much of the rule's box is head, the patch's area and place), fitted to as many heads as hidden ones. At seed 11 they
let through fewer hidden heads, 0.13 with 0.985 of the seen instead of 0.12 with 0.97, and left 14 of 232 photographs
without a box instead of 16; but at seed 1 0.24 with 0.986 of the seen instead of 0.18 with 0.981, and 0.18 with 0.97.
A box for 0.965 of the seen heads instead of 0.975, with our own network's joints among the traits and its weights at
the end of training, left 28 photographs without one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from partreid.body.parsing import PARSING
from partreid.labels import heads
from partreid.labels.geometry import centres, stature
from partreid.tools import head_patch
from partreid.tools.blazepose import sigmoid
from partreid.tools.body_parts import Parts
from partreid.tools.evidence import Evidence
from partreid.tools.head_patch import Patch
from partreid.tools.odds import LEAST, logit, weighed

FACE = slice(0, 5)  # the head's joints among the keypoints
SURE = 0.5  # times the probability of the surest of the head's joints: what another needs to say where the head is
TOP = 80  # cells of 128 x 64 that surely are the head's, of one that is seen
FAR = 2.5  # heights of a head: no place counts as farther from the middle of the patch
NARROW, BESIDE = 4, 0.6  # cells that a patch is wide at least, and how far from its middle in widths the torso begins
SEEN = 0.5  # from this probability on a joint is seen


@dataclass(frozen=True)
class Look:
    """What both decisions are made from; places and lengths in pixels of the image."""

    head: np.ndarray  # float32 (128, 64): how probably each cell shows the head
    torso: np.ndarray  # the same of the torso
    keypoints: np.ndarray  # (17, 3): partreid.tools.consensus.judge's
    size: tuple[int, int]  # of the image: height, width
    patch: Patch | None  # the head's cells, if any is more head than not
    place: np.ndarray  # (2,): where the head's joints are
    height: float  # a head's, by the stature
    known: np.ndarray  # (17, 3): the keypoints, of the head's joints those seen that are SURE
    person: np.ndarray  # float32 (128, 64): how probably each cell shows the person

    @property
    def ruled(self) -> np.ndarray:
        """Corners float32 (4,) of the box of partreid.labels.heads, not clipped; few images need it."""
        mask = np.rint(255 * self.person)
        return heads.make(self.known[None], mask[None], np.array([self.size]), min_score=SEEN)[0]


def look(parts: Parts, keypoints: np.ndarray, size: tuple[int, int]) -> Look:
    """At one image of `size` (height, width)."""
    head, torso = (parts.classes[..., PARSING.index(name)] for name in ("head", "torso"))
    known, sure = keypoints.copy(), keypoints[FACE, 2]
    known[FACE, 2] = sure >= SURE * sure.max()  # from behind no eye is seen, but the head is
    place, _ = heads.face(known[None], SEEN)
    unit = heads.HEIGHT * stature(known[None], np.array([size[0]]), SEEN)
    patch, person = head_patch.find(head, size), 1 - parts.classes[..., 0]
    return Look(head, torso, keypoints, size, patch, place[0], float(unit[0]), known, person)


def box(said: Evidence, at: Look, fitted: Mapping[str, Any]) -> np.ndarray:
    """Corners float32 (4,) in pixels of the image; NaN where the head probably is not seen. fitted: consensus.json."""
    if sigmoid(weighed(traits(said, at), fitted["head"])) < fitted["head_from"]:
        return np.full(4, np.nan, np.float32)
    if at.patch is None:
        return at.ruled
    x0, y0, x1, _ = at.patch.box
    chin = at.patch.middle()[1] + weighed(chin_traits(at, at.patch), fitted["chin"]) * at.height
    return np.array([x0, y0, x1, max(chin, y0 + 1)], np.float32)


def traits(said: Evidence, at: Look) -> np.ndarray:
    """What is said of the head's being seen: float32 (7,).

    Logits of the strongest of the head's own joints and of anybody's; of the surest of them, and its mean, the
    probability of being seen; the logarithm of the share of cells that are more head than not, and of the
    head's probability in the cells that are most probably head, the logit of the highest and the mean of TOP.
    """
    seen, cells = at.keypoints[FACE, 2], at.head.ravel()
    sure = [logit(value) for value in (said.own[..., FACE].max(), said.joints[..., FACE].max(), seen.max())]
    top = np.sort(cells)[-TOP:]
    return np.array([*sure, seen.mean(), np.log(LEAST + (cells > 0.5).mean()), logit(top[-1]), top.mean()], np.float32)


def chin_traits(at: Look, patch: Patch) -> np.ndarray:
    """What is said of the chin: float32 (7,), places down from the middle of the patch in heights of a head.

    The places above which half and nearly all of the head lies, and where the torso begins; the probability that the
    nose is seen, alone and times the patch's width; the nose's place; and how far it is across from the head's.
    """
    x0, _, x1, _ = patch.box
    middle = patch.middle()[1]
    x, y, seen = at.keypoints[0]
    down = [(value - middle) / at.height for value in (patch.row(0.5), patch.row(0.98), torso_top(at, patch), y)]
    half, most, torso, nose = np.clip(down, -FAR, FAR)
    wide, across = min((x1 - x0) / at.height, FAR), min(abs(x - at.place[0]) / at.height, 1)
    return np.array([half, most, torso, seen, seen * wide, nose, across], np.float32)


def torso_top(at: Look, patch: Patch) -> float:
    """The y where the torso begins below the top of the head's patch, about as wide as it; else the patch's bottom."""
    x0, y0, x1, y1 = patch.box
    (rows, columns), (high, wide) = at.torso.shape, at.size
    reach = BESIDE * max(x1 - x0, NARROW * wide / columns)
    beside = np.abs(centres(columns, float(wide)) - (x0 + x1) / 2) <= reach
    down = (at.torso * beside).max(1) * (centres(rows, float(high)) > y0)
    return head_patch.start(down) * high / rows if down.max() >= head_patch.HALF else y1
