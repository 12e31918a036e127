"""Who trains and who is searched for, when nobody has said so: the rule for own photos.

It looks at names only, so the same photos always give the same split, and a person who is added later changes the part
of at most one other.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from partreid.storage.image_table import JUNK

MIN_TO_SPLIT = 4  # persons who can be searched for: two to train on, two to tell apart
NAMED = 10  # persons that a warning names

Row = dict[str, Any]  # path, person (the name), pid, camid (None: no camera)


def divide(rows: Sequence[Row], train: bool) -> tuple[list[Row], list[str]]:
    """Give every row a split. Returns the rows, in order, and warnings. `train=False`: nobody is trained on.

    1. A person can be *searched for* when two cameras saw it, or when it has two images and none has a camera.
    2. Of the persons who can be searched for, the half whose names have the smaller SHA-1 are for training (the smaller
       half of an odd number); with fewer than MIN_TO_SPLIT of them nobody is.
    3. Persons with several images who cannot be searched for (one camera saw them) are for training too, because no
       query of theirs could be answered; if nobody is trained on, they are in the gallery.
    4. A person with one image is in the gallery, where it is a wrong answer for everybody.
    5. Of all others `queries` says which images ask; the rest is the gallery. Junk (pid -1) is in the gallery.
    """
    persons: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row["pid"] != JUNK:
            persons[row["person"]].append(row)
    searchable = [name for name, images in persons.items() if can_be_searched(images)]
    single = sorted(name for name, images in persons.items() if len(images) == 1)
    one_camera = sorted(set(persons) - set(searchable) - set(single))
    warnings = []
    if single:
        warnings.append(f"{people(single)} with one image: in the gallery only")
    if train and len(searchable) < MIN_TO_SPLIT:
        train = False
        warnings.append(
            f"only {len(searchable)} of {len(persons)} persons can be searched for, {MIN_TO_SPLIT} are needed to "
            "train on some: all images are query or gallery; use a model that was trained on another data set"
        )
    if one_camera:
        where = "used for training only" if train else "in the gallery only"
        warnings.append(f"{people(one_camera)} seen by one camera, so no other camera can find them: {where}")
    learn = set(_first_half(searchable)) | set(one_camera) if train else set()
    asking = {row["path"] for name in searchable if name not in learn for row in queries(persons[name])}
    split = [
        "train" if row["pid"] != JUNK and row["person"] in learn else "query" if row["path"] in asking else "gallery"
        for row in rows
    ]
    return [{**row, "split": word} for row, word in zip(rows, split, strict=True)], warnings


def can_be_searched(images: Iterable[Mapping[str, Any]]) -> bool:
    """Whether one of a person's images can find another under the Market rule."""
    cameras = [image["camid"] for image in images]
    return len(set(cameras)) > 1 or (len(cameras) > 1 and cameras[0] is None)


def queries(images: Iterable[Row]) -> list[Row]:
    """The images of one person who can be searched for that become queries; each finds at least one of the others.

    The first image, in byte order of the paths, of every camera that has two or more; if no camera has two, the first
    image of the first camera. Images without a camera count as one camera.
    """
    by_camera: dict[int, list[Row]] = defaultdict(list)
    for image in sorted(images, key=lambda row: row["path"].encode()):
        by_camera[-1 if image["camid"] is None else image["camid"]].append(image)
    groups = [by_camera[camera] for camera in sorted(by_camera)]
    return [group[0] for group in groups if len(group) > 1] or [groups[0][0]]


def unanswerable(rows: Iterable[Mapping[str, Any]]) -> tuple[int, int]:
    """How many queries have no gallery image of the same person from another camera, and how many queries there are."""
    seen: dict[int, set[int | None]] = defaultdict(set)
    asking = []
    for row in rows:
        if row["split"] == "gallery":
            seen[row["pid"]].add(row["camid"])
        elif row["split"] == "query":
            asking.append(row)
    # an image without a camera shares it with none: None in the gallery answers everybody, and None asks everybody
    lost = [row for row in asking if not (None in seen[row["pid"]] or seen[row["pid"]] - {row["camid"]})]
    return len(lost), len(asking)


def people(names: Sequence[str]) -> str:
    """`3 persons (ann, bob, cid)`; at most NAMED names."""
    shown = ", ".join(names[:NAMED]) + (", ..." if len(names) > NAMED else "")
    return f"{len(names)} person{'s' if len(names) != 1 else ''} ({shown})"


def _first_half(names: Iterable[str]) -> list[str]:
    ordered = sorted(names, key=lambda name: (hashlib.sha1(name.encode()).digest(), name))
    return ordered[: len(ordered) // 2]
