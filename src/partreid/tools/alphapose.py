"""AlphaPose: 17 keypoints, from its result file or from AlphaPose itself in a checkout that the user names.

Fang et al., "AlphaPose: Whole-Body Regional Multi-Person Pose Estimation and Tracking in Real-Time", TPAMI 2022,
https://github.com/MVIG-SJTU/AlphaPose. Its licence allows no commercial use, and it has no package, so it is not part
of partreid. partreid.tools.alphapose_run starts it for data sets that `results` does not name.

A result file is `alphapose-results.json` in the default format, a list of {image_id, keypoints, score, ...}, one entry
per person. Not `--format cmu` or `open`, which lack keypoints, nor `--eval`, which loses the images' names. image_id is
the image's file name without its folders, so images of equal names, unless they are copies, cannot be told apart: give
one file per split then (`results: {set: {query: a.json, gallery: b.json}}`), or let partreid start AlphaPose. Models
with 26, 68, 133 or 136 keypoints have COCO's 17 first.

Target. Of the persons whose score is at least half of the best one's, the one whose keypoints' mean, weighted by their
scores, is nearest to the image's centre (as a share of the image's width and height).
Keypoints. AlphaPose numbers pixels, so its 0 is the first pixel's centre: 0.5 is added. Scores are cut to 0..1.
Score. AlphaPose's score of a person is the box's score + the mean keypoint score + 1.25 times the highest, at most
3.25; `score` is that divided by 3.25. It is no calibrated probability, and with whole images as boxes at least 0.3.
Missing. AlphaPose leaves out persons without a keypoint score of 0.3, so an image without an entry shows nobody.
"""

import json
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from partreid.errors import UserError, reason
from partreid.storage import cache, foreign
from partreid.storage.files import sha256
from partreid.storage.pieces import Work
from partreid.tools import alphapose_run
from partreid.tools.base import Images
from partreid.tools.given import Given, given
from partreid.tools.imported import fitting, probe
from partreid.tools.matching import match, required, text

VERSION = "1"  # raise when the output changes
GIVES = ("keypoints",)
BEST = 3.25  # the highest score that AlphaPose can give a person
RIVAL = 0.5  # share of the best score that makes a person a candidate
COCO_FIRST = (17, 26, 68, 133, 136)  # numbers of keypoints of the models that begin with COCO's 17

Person = Mapping[str, Any]  # an entry of AlphaPose's list


def build(
    images: Images, *, results: dict[str, Any], checkout: str, python: str, config: str, checkpoint: str
) -> tuple[dict[str, Any], Work]:
    """See partreid.tools. results: data set -> JSON file that AlphaPose wrote, or split -> file of that split's images.

    For other data sets AlphaPose is started. checkout: the folder of its repository, "" where there is none. python:
    the interpreter of its environment. config, checkpoint: files, relative to the checkout or absolute.
    """
    if images.dataset in results or not checkout:
        if images.dataset not in results:
            raise UserError(
                f"tool alphapose has no results for data set {images.dataset}. Either run AlphaPose elsewhere and set "
                f"tools.alphapose.results.{images.dataset} in params.yaml to its alphapose-results.json, or set "
                "tools.alphapose.checkout to a folder with AlphaPose, and it will be started there"
            )
        persons, failed, source = imported(images, results)
        weights = None
    else:
        setup = alphapose_run.Setup.find(checkout, python, config, checkpoint)
        weights = sha256(setup.checkpoint)
        persons, failed = alphapose_run.run(setup, images)
        source = {"config": sha256(setup.config)}
    arrays = chosen(persons, failed, images)
    fitting(arrays["keypoints"], images.sizes(), f"what tools.alphapose was given for {images.dataset}")
    head = cache.header("tool/alphapose", "alphapose", VERSION, weights, {"rival": RIVAL}, images.sha256)
    return {**head, "source": source}, partial(look, arrays)


def look(arrays: Mapping[str, np.ndarray], start: int, stop: int) -> dict[str, np.ndarray]:
    """What is known of images start..stop-1."""
    return {name: array[start:stop] for name, array in arrays.items()}


def imported(images: Images, results: Mapping[str, Any]) -> tuple[dict[int, list[Person]], set[int], dict[str, Any]]:
    """Image -> its persons, images that cannot be told apart, and what matched, which is also printed.

    UserError when a file is not AlphaPose's default format, is of a model with other keypoints, or belongs to other
    images.
    """
    persons: dict[int, list[Person]] = {}
    failed: set[int] = set()
    about: dict[str, Any] = {}
    for place in given(images, "alphapose", "results", results):
        found, unclear, about[place.split] = _matched(place, images)
        persons |= found
        failed |= unclear
    return persons, failed, about.pop("", None) or about


def _matched(place: Given, images: Images) -> tuple[dict[int, list[Person]], set[int], dict[str, Any]]:
    """As `imported`, of one file."""
    file, rows = place.path, place.rows
    by_name: dict[str, list[Person]] = defaultdict(list)
    people = entries(file)
    for person in people:
        by_name[person["image_id"]].append(person)
    names = list(by_name)
    paths, digests = images.paths(), images.digests()
    matches = match([paths[row] for row in rows], names, digests=[digests[row] for row in rows])
    about = {"file_sha256": sha256(file), "entries": len(names), **matches.about()}
    print(f"{file}: persons in {len(names)} images\n{text(about)}")
    required(matches, names, str(file), place.key)
    probe(len(people), lambda place: _tried(file, people[place]), "alphapose")
    persons = {row: by_name[name] for row, name in zip(rows, matches.keys, strict=True) if name is not None}
    return persons, {rows[place] for place in matches.ambiguous}, about


def _tried(file: Path, person: Person) -> tuple[float, np.ndarray]:
    try:
        return read(person)
    except ValueError as error:
        raise ValueError(f"{file}, {person['image_id']}: {error}") from error


def entries(file: Path) -> list[Person]:
    """The persons in AlphaPose's result file. UserError when it is damaged or in another format."""
    try:
        found = json.loads(file.read_bytes())
    except (ValueError, RecursionError, IsADirectoryError) as error:
        kind = foreign.what(file)
        raise UserError(f"{file} is not JSON, or it is cut: {f'it is {kind}' if kind else reason(error)}") from error
    again = "run AlphaPose again without --format and --eval"
    if isinstance(found, dict):
        inner = next(iter(found.values()), None)
        known = {"bodies": "cmu", "people": "open"}
        named = [known[key] for key in known if key in found or (isinstance(inner, dict) and key in inner)]
        kind = f"written with --format {named[0]}" if named else "a mapping"
        raise UserError(f"{file} is {kind}, expected AlphaPose's default format, a list of persons; {again}")
    if not isinstance(found, list) or not all(isinstance(person, dict) for person in found):
        raise UserError(f"{file} is not a list of persons, AlphaPose's default format; {again}")
    for number, person in enumerate(found):
        if isinstance(person.get("image_id"), int):
            raise UserError(f"{file} was written with --eval, which keeps numbers instead of images' names; {again}")
        if not isinstance(person.get("image_id"), str):
            raise UserError(f"{file}: person {number} has no image_id; {again}")
    return found


def chosen(persons: Mapping[int, Sequence[Person]], failed: set[int], images: Images) -> dict[str, np.ndarray]:
    """Status, score and keypoints of all images. persons: image -> entries; failed: images that are `failed`."""
    n = len(images.table)
    result: dict[str, np.ndarray] = {
        "status": np.full(n, cache.MISSING, np.uint8),
        "score": np.zeros(n, np.float32),
        "keypoints": np.zeros((n, 17, 3), np.float32),
    }
    result["status"][sorted(failed)] = cache.FAILED
    sizes = images.sizes().tolist()
    for row, people in persons.items():
        try:
            score, keypoints = target([read(person) for person in people], *sizes[row])
        except ValueError as error:
            print(f"{images.paths()[row]}: {error}; it is `failed`", file=sys.stderr)
            result["status"][row] = cache.FAILED
            continue
        result["status"][row] = cache.OK
        result["score"][row] = min(max(score / BEST, 0), 1)
        result["keypoints"][row] = keypoints
    return result


def read(person: Person) -> tuple[float, np.ndarray]:
    """AlphaPose's score and keypoints (17, 3) in our pixels of one entry. ValueError when they are damaged."""
    try:
        score = float(person["score"])
        values = np.array(person["keypoints"], np.float64)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"an entry lacks score or keypoints, or they are no numbers ({error})") from error
    if values.ndim != 1 or values.size not in [3 * number for number in COCO_FIRST]:
        raise ValueError(
            f"an entry has {values.size} keypoint numbers; expected 3 for each of {', '.join(map(str, COCO_FIRST))}: "
            "a model trained on COCO or Halpe"
        )
    if not (np.isfinite(values).all() and np.isfinite(score)):
        raise ValueError("an entry has values that are not numbers")
    keypoints = values.reshape(-1, 3)[:17]
    keypoints[:, :2] += 0.5
    keypoints[:, 2] = keypoints[:, 2].clip(0, 1)
    return score, keypoints


def target(people: Sequence[tuple[float, np.ndarray]], height: int, width: int) -> tuple[float, np.ndarray]:
    """The target person of an image of height x width pixels, from all that were found in it; see above."""
    best = max(score for score, _ in people)
    candidates = [(score, keypoints) for score, keypoints in people if score >= RIVAL * best]

    def distance(person: tuple[float, np.ndarray]) -> float:
        weight = person[1][:, 2] + 1e-6
        middle = (person[1][:, :2] * weight[:, None]).sum(0) / weight.sum()
        return float(np.hypot(*(middle / (width, height) - 0.5)))

    return min(candidates, key=distance)
