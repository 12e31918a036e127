"""From which distance on two images are called the same person, and how often that is wrong.

Calibrated on pairs of images of persons whom training never saw: the `val` split where the data set has one, else its
test persons. Pairs of training persons would promise too much, since the network was told to know these apart.
A pair is of the same person by the Market rule: other cameras where cameras are known; a person's images by one camera
are left out.

The persons are split at random into two halves. On the first the threshold is set so that at most the wanted share of
the pairs of different persons lies below it; how often it is wrong is then measured on pairs of the second half. n
pairs carry no rate below 1/n: where a lower one is wanted, the threshold lies below all of them, and 1/n is claimed.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from partreid.errors import UserError, choose
from partreid.evaluation.distances import DISTANCES, Distance, Vectors, tensors
from partreid.evaluation.rules import Ids, ids, market_rule
from partreid.storage import image_table
from partreid.storage.embeddings import Embeddings, Stored

IMAGES = 2048  # per half: about two million pairs
LEAST = 4  # images of a person, where it has them
BLOCK = 512  # images against images


@dataclass(frozen=True)
class Threshold:
    """Two images at `distance` or nearer are called the same person.

    wanted: share of the pairs of different persons that may be called the same. carried: the share that it was set for:
    that, or the lowest that set_on, the number of pairs of the first half, can carry. false_matches, matches: share of
    the second half's pairs of different persons, and of the same person, that are. interval: of false_matches, by
    Wilson's formula with 95 % confidence as if the pairs were independent; they share images, so it is rather wider.
    different, same: how many pairs of the second half. persons, images: of both halves. split: where they come from.
    """

    distance: float
    wanted: float
    carried: float
    set_on: int
    interval: tuple[float, float]
    false_matches: float
    matches: float
    different: int
    same: int
    persons: int
    images: int
    split: str


def validation(table: pa.Table, without_sha1: set[str]) -> tuple[pa.Table, str]:
    """The images to calibrate on and the name of their split, without the files that are asked about (hex SHA-1).

    Of the test only persons who ask: the rest of a gallery may be distractors.
    """
    table = image_table.without_junk(table)
    table = table.filter(pa.array([digest not in without_sha1 for digest in table["sha1"].to_pylist()], pa.bool_()))
    chosen = image_table.select(table, "val")
    if len(set(chosen["pid"].to_pylist())) >= 4:
        return chosen, "val"
    asking = set(image_table.select(table, "query")["pid"].to_pylist())
    chosen = image_table.select(table, "query", "gallery")
    return chosen.filter(pa.array([pid in asking for pid in chosen["pid"].to_pylist()], pa.bool_())), "test"


def calibrate(stored: Embeddings | Stored, table: pa.Table, split: str, wanted: float) -> Threshold:
    """Set the threshold on half of the persons of `table`, measure it on the others.

    wanted: share of pairs of different persons, between 0 and 1. UserError when there are too few persons or pairs.
    """
    if not 0 < wanted < 1:
        raise UserError(f"a false-match rate is a share between 0 and 1, found {wanted}")
    distance = choose(DISTANCES, stored.header["distance"], "distance")
    halves = _halves(table)
    (_, set_on), (same, different) = (pairs(stored, half, distance) for half in halves)
    if min(len(set_on), len(same), len(different)) == 0:
        raise UserError(
            f"a threshold needs pairs of the same and of different persons in two halves of the {split} split; found "
            f"{len(table)} images of {len(set(table['pid'].to_pylist()))} persons"
        )
    limit = at_rate(set_on, wanted)
    return Threshold(
        distance=limit,
        wanted=wanted,
        carried=max(wanted, 1 / len(set_on)),
        set_on=len(set_on),
        interval=wilson(int((different <= limit).sum()), len(different)),
        false_matches=float((different <= limit).mean()),
        matches=float((same <= limit).mean()),
        different=len(different),
        same=len(same),
        persons=sum(len(set(half["pid"].to_pylist())) for half in halves),
        images=sum(map(len, halves)),
        split=split,
    )


def wilson(count: int, of: int) -> tuple[float, float]:
    """Interval of a share, count of `of` trials, with 95 % confidence: Wilson, JASA 1927."""
    z = 1.96
    share = count / of
    middle = share + z * z / (2 * of)
    half = z * ((share * (1 - share) + z * z / (4 * of)) / of) ** 0.5
    scale = 1 + z * z / of
    return max((middle - half) / scale, 0.0), min((middle + half) / scale, 1.0)


def at_rate(different: np.ndarray, wanted: float) -> float:
    """The largest float32 distance up to which at most a share `wanted` of the distances (n,) lies."""
    ordered = np.sort(different.astype(np.float32))
    first_outside = ordered[min(int(wanted * len(ordered)), len(ordered) - 1)]
    return float(np.nextafter(first_outside, np.float32(-np.inf)))


def pairs(stored: Embeddings | Stored, table: pa.Table, distance: Distance) -> tuple[np.ndarray, np.ndarray]:
    """Distances of all pairs of images of the same and of different persons, float32 (s,) and (d,), each pair once."""
    who = ids(table)
    every = tensors(stored.of(image_table.integers(table, "image_id")))
    same, different = [np.empty(0, np.float32)], [np.empty(0, np.float32)]
    for top in range(0, len(table), BLOCK):
        for left in range(top, len(table), BLOCK):
            values, match, wrong = _block(every, who, top, left, distance)
            same.append(values[match])
            different.append(values[wrong])
    return np.concatenate(same), np.concatenate(different)


def _block(
    every: Vectors, who: Ids, top: int, left: int, distance: Distance
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    upper, lower = slice(top, top + BLOCK), slice(left, left + BLOCK)
    match, ignored = market_rule(who.at((upper, None)), who.at((None, lower)))
    values = distance(every.rows(top, BLOCK), every.rows(left, BLOCK))[: match.shape[0], : match.shape[1]].numpy()
    once = np.arange(top, top + match.shape[0])[:, None] < np.arange(left, left + match.shape[1])
    return values, match.numpy() & once, ~(match | ignored).numpy() & once


def _halves(table: pa.Table) -> list[pa.Table]:
    """Images of a random half of the persons, and of the others; at most IMAGES each, of as many persons as can be."""
    random = np.random.default_rng(0)
    table = table.take(random.permutation(len(table)))
    _, person = np.unique(image_table.integers(table, "pid"), return_inverse=True)
    persons = person.max(initial=-1) + 1
    place = random.permutation(persons)[person]  # (N,): whose image, persons being in random order
    order = np.argsort(place, kind="stable")
    place = place[order]
    number = np.arange(len(order)) - np.searchsorted(place, place)  # of an image among its person's
    few = number < max(LEAST, IMAGES // max(persons // 2, 1))
    sides = place < persons // 2, place >= persons // 2
    return [table.take(order[few & side][:IMAGES]) for side in sides]
