"""The Market-style evaluation as plainly as it can be written: one query, one entry, one number at a time."""

import math
from itertools import groupby, permutations, product

import numpy as np


def distances(query, gallery):
    """Euclidean distances of integer vectors: exact sums, one rounding to float32."""
    return [[np.float32(math.sqrt(sum(int(d) ** 2 for d in a - b))) for b in gallery] for a in query]


def relation(rule, q, g):
    """'match', 'ignored' or 'wrong' for two dicts with image, pid, camera, clothes (-1 = unknown)."""
    if q["pid"] != g["pid"]:
        return "wrong"
    if q["image"] == g["image"] or (q["camera"] != -1 and q["camera"] == g["camera"]):
        return "ignored"
    if rule == "market":
        return "match"
    if -1 in (q["clothes"], g["clothes"]):
        return "ignored"
    same = q["clothes"] == g["clothes"]
    return "match" if same == (rule == "same-clothes") else "ignored"


def ranking(rule, q, gallery, row, place):
    """The kept gallery rows in order, and whether each is a match. row: distances; place: that of the tied."""
    kept = [j for j in range(len(gallery)) if relation(rule, q, gallery[j]) != "ignored"]
    kept = sorted(kept, key=lambda j: (row[j], place[j]))
    return kept, [relation(rule, q, gallery[j]) == "match" for j in kept]


def orders(distances):
    """All orders of entries that are sorted by distance: tuples of their numbers; each is as likely."""
    ties = [list(group) for _, group in groupby(range(len(distances)), lambda i: distances[i])]
    return [sum(order, ()) for order in product(*(list(permutations(tie)) for tie in ties))]


def negative_penalty(good):
    return sum(good) / max(place for place, is_good in enumerate(good, 1) if is_good)


def found_within(good, length):
    return [float(any(good[:place])) for place in range(1, length + 1)]


def average_precision(good, formula):
    found, total = 0, 0.0
    for place, is_good in enumerate(good, 1):
        if not is_good:
            continue
        before = 1.0 if place == 1 else found / (place - 1)
        found += 1
        at = found / place
        total += at if formula == "rectangle" else (before + at) / 2
    return total / found
