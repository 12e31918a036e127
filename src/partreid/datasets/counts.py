"""Counting a data set and comparing with what its authors published."""

from collections.abc import Iterable, Mapping
from typing import Any

from partreid.storage.image_table import DISTRACTOR, JUNK, SPLITS

Counts = dict[str, int | list[int]]


def count(rows: Iterable[Mapping[str, Any]]) -> Counts:
    """Counts of rows with split, pid and camid, by name and in a fixed order; what is zero is left out.

    Per split: images, persons, images per camera (a list by camid). "gallery distractors" (pid 0) and "gallery junk"
    (pid -1) are images too, but no persons; pid 0 is an ordinary person where a query or training image has it.
    """
    by_split: dict[str, list[Mapping[str, Any]]] = {split: [] for split in SPLITS}
    for row in rows:
        by_split[row["split"]].append(row)
    zero_is_person = any(row["pid"] == DISTRACTOR for split in ("train", "query") for row in by_split[split])
    nobody = {JUNK} if zero_is_person else {JUNK, DISTRACTOR}
    counts: Counts = {}
    for split, members in by_split.items():
        if not members:
            continue
        pids = [row["pid"] for row in members]
        counts[f"{split} images"] = len(members)
        counts[f"{split} persons"] = len(set(pids) - nobody)
        cameras = [row["camid"] for row in members if row.get("camid") is not None]
        if cameras:
            counts[f"{split} images per camera"] = [cameras.count(camera) for camera in range(max(cameras) + 1)]
        for name, pid in (("distractors", DISTRACTOR), ("junk", JUNK)):
            if pid in nobody and pid in pids:
                counts[f"{split} {name}"] = pids.count(pid)
    return counts


def differences(found: Mapping[str, Any], published: Mapping[str, Any]) -> list[str]:
    """One line for every published count that was not found."""
    return [
        f"{name}: found {found.get(name, 0)}, published {expected}"
        for name, expected in published.items()
        if found.get(name, 0) != expected
    ]
