"""Which pictures a data set has: persons, outfits, cameras, splits, names. Everything follows from the seed.

Every random choice hangs on (seed, what, number), never on the order of work, so any number of processes gives the
same pictures.
"""

from dataclasses import dataclass
from itertools import islice

import numpy as np

from partreid.errors import UserError

CAMERAS = 6
OCCLUDED_TRAIN, OCCLUDED_GALLERY, OCCLUDED_QUERY = 0.28, 0.20, 0.20  # the first query of a person is always occluded
OCCLUDED_BELOW = 0.7  # an image counts as occluded when less than this share of the person shows
_KINDS = {"camera": 1, "person": 2, "shots": 3, "picture": 4, "crowd": 5}


@dataclass(frozen=True)
class Shot:
    """One picture to take."""

    pid: int  # 1-based; test persons follow the training persons
    frame: int  # 1-based number of the picture among the person's
    split: str  # train, query, gallery
    camera: int  # 0-based
    outfit: int  # 0-based
    occlude: bool

    def path(self, digits: int = 4) -> str:
        """`<split>/<pid>_c<camera>s<outfit>_<frame>_00.jpg`, all counted from 1: the pattern of Market-1501."""
        return f"{self.split}/{self.pid:0{digits}d}_c{self.camera + 1}s{self.outfit + 1}_{self.frame:06d}_00.jpg"


def random(seed: int, kind: str, *numbers: int) -> np.random.Generator:
    """The random numbers of one camera, person or picture."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, _KINDS[kind], *numbers])))


def numbers(train_identities: int, test_identities: int, first_test: int) -> tuple[list[int], list[int]]:
    """The person numbers of training and test, ascending from 1, whose own choices hang on them.

    first_test: the first test person's; 0: the test persons follow the training persons. With a number they, and so
    all their pictures, stay the same however many train: the training persons are numbered around them.
    """
    first = first_test or train_identities + 1
    test = list(range(first, first + test_identities))
    free = (pid for pid in range(1, train_identities + test_identities + 1) if pid not in set(test))
    return list(islice(free, train_identities)), test


def clothes_id(pid: int, outfit: int) -> int:
    """Number of an outfit, unique over the set."""
    return 10 * pid + outfit


def shots(seed: int, pid: int, training: bool, images: int, outfits: int) -> list[Shot]:
    """The pictures of one person, in frame order.

    Outfits and cameras alternate so that every outfit is seen by several cameras. A quarter of a test person's pictures
    become queries, chosen so that each finds in the gallery, under another camera, the same and another outfit.
    Raises UserError when there are too few images for that.
    """
    if images < 2 * outfits:
        raise UserError(f"{images} images per identity, expected at least {2 * outfits}; raise synthetic.images")
    rng = random(seed, "shots", pid)
    pairs: list[tuple[int, int]] = []
    orders = [list(rng.permutation(CAMERAS)) for _ in range(outfits)]
    for i in range(images):
        outfit, turn = i % outfits, i // outfits
        pairs.append((outfit, int(orders[outfit][turn % CAMERAS])))
    order = rng.permutation(images)
    pairs = [pairs[i] for i in order]
    if training:
        return [
            Shot(pid, i + 1, "train", camera, outfit, bool(rng.random() < OCCLUDED_TRAIN))
            for i, (outfit, camera) in enumerate(pairs)
        ]
    queries: list[int] = []
    wanted = max(1, round(images / 4))
    # one query per outfit first, then any
    for i in sorted(range(images), key=lambda i: (sum(pairs[j][0] == pairs[i][0] for j in range(i)), i)):
        if len(queries) < wanted and _answered([*queries, i], pairs):
            queries.append(i)
    result = []
    for i, (outfit, camera) in enumerate(pairs):
        if i in queries:
            hide, split = i == queries[0] or rng.random() < OCCLUDED_QUERY, "query"
        else:
            hide, split = rng.random() < OCCLUDED_GALLERY, "gallery"
        result.append(Shot(pid, i + 1, split, camera, outfit, bool(hide)))
    return result


def _answered(queries: list[int], pairs: list[tuple[int, int]]) -> bool:
    """Does each query keep a same-outfit and another-outfit picture of another camera in the gallery?"""
    gallery = [pair for i, pair in enumerate(pairs) if i not in queries]
    for i in queries:
        outfit, camera = pairs[i]
        others = [o for o, c in gallery if c != camera]
        if outfit not in others or all(o == outfit for o in others):
            return False
    return True
