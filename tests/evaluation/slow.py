"""The Market-style evaluation as plainly as it can be written: one query, one entry, one number at a time."""

import math

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


def ranking(rule, q, gallery, row):
    """The kept gallery rows in order, and whether each is a match; `row`: the query's distances."""
    kept = [j for j in range(len(gallery)) if relation(rule, q, gallery[j]) != "ignored"]
    kept = sorted(kept, key=lambda j: (row[j], j))
    return kept, [relation(rule, q, gallery[j]) == "match" for j in kept]


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
