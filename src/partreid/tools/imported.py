"""What the tools share that read a folder of files which the tool wrote elsewhere, one file per image.

An image is `failed` when its file is damaged (named on stderr) or several files could be its own, and `missing` when
it has no file or the file shows nobody: tools that find nobody often write nothing. What matched is told by
partreid.tools.matching, printed before the work starts and kept in the header under `source`.
"""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np

from partreid.datasets.walk import Walk
from partreid.errors import UserError
from partreid.storage import cache, chunks, foreign
from partreid.storage.files import fingerprint
from partreid.storage.pieces import Work
from partreid.tools.base import Images
from partreid.tools.given import Given, given
from partreid.tools.matching import EXAMPLES, Matches, match, required, text, without

SURE = 0.3  # score of a keypoint that counts when it lies outside its image
OUTSIDE = 0.25  # share of the sure keypoints that may
PROBES = 16  # files that are read before the work starts, to find out whether the folder holds the right kind
DAMAGE = (*chunks.DAMAGE, cv2.error)  # what reading a damaged file may raise

T = TypeVar("T")

Read = Callable[[Path, int, int], Mapping[str, Any] | None]
"""(file, image height, image width) -> score and members of one image, None when it shows nobody. With `status` among
them they are kept whatever it is, and it is OK without. One of DAMAGE when the file is not what it should be, a
ValueError with the reason. Must pickle."""


@dataclass(frozen=True)
class Source:
    """The files of a data set's images."""

    files: tuple[Path | None, ...]  # of each image
    ambiguous: frozenset[int]  # images with several candidates
    about: dict[str, Any]  # for the header


def find(images: Images, tool: str, folders: Mapping[str, Any], endings: tuple[str, ...], hint: str = "") -> Source:
    """Match the files in a data set's folder, or its splits' folders, at any depth, to the images; print what matched.

    endings: what the tool adds to an image's name, the more special first; other files are not looked at. hint: what
    else to say when no file fits. UserError when nothing in a folder matches.
    """
    places = given(images, tool, "folders", folders)
    files: list[Path | None] = [None] * len(images.paths())
    ambiguous: set[int] = set()
    about: dict[str, Any] = {}
    for place in places:
        found, about[place.split] = _in_folder(images, place, endings, hint)
        ambiguous |= {place.rows[row] for row in found.ambiguous}
        for row, name in zip(place.rows, found.keys, strict=True):
            files[row] = None if name is None else place.path / name
    return Source(tuple(files), frozenset(ambiguous), about.pop("", None) or about)


def _in_folder(images: Images, place: Given, endings: tuple[str, ...], hint: str) -> tuple[Matches, dict[str, Any]]:
    """What belongs together of one folder and its images, and what to say of it in the header."""
    folder, key = place.path, place.key
    if not folder.is_dir():
        raise UserError(f"{folder} is a file; {key} in params.yaml must name a folder{hint}")
    walk = Walk(folder, endings=None)
    every = walk.below()
    names = [name for name in every if without(name, endings) != name]
    if not names:
        found = f"it holds {', '.join(every[:EXAMPLES])}, ..." if every else "it is empty"
        raise UserError(f"{folder} ({key}) has no file that ends in {' or '.join(endings)}: {found}{hint}")
    paths, digests = images.paths(), images.digests()
    mine = [paths[row] for row in place.rows]
    matches = match(mine, names, [without(name, endings) for name in names], [digests[row] for row in place.rows])
    about = {
        "files": len(names),
        "other_files": len(every) - len(names),
        "left_out": walk.left_out(),
        **matches.about(),
    }
    left = f" (left out: {walk.left_out()})" if walk.left_out() else ""
    print(f"{folder}: {len(names)} files{left}\n{text(about)}")
    required(matches, names, str(folder), key)
    # a run that was killed must not go on with other files: their names, sizes and times are part of the header
    stats = [(str(name), (folder / name).stat()) for name in matches.keys if name is not None]
    about["listing"] = fingerprint([(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats])
    return matches, about


def probe(number: int, look: Callable[[int], T | None], tool: str) -> T | None:
    """What the first of `number` things says that says something, of PROBES of them, evenly spread; None if none does.

    look: reads the thing at a place, None where it shows nobody, one of DAMAGE with the reason where it is no such
    thing. UserError, with the first reason, when none says something and some are no such things: they are of another
    kind, and a run over all of them would only find that everything failed.
    """
    reasons = []
    for place in np.unique(np.linspace(0, number - 1, PROBES).round().astype(int)).tolist() if number else []:
        try:
            if (found := look(place)) is not None:
                return found
        except DAMAGE as error:
            reasons.append(str(error))
    if reasons:
        raise UserError(f"tool {tool} cannot use what it was given. {reasons[0]}")
    return None


def first(source: Source, images: Images, read: Read, tool: str) -> Mapping[str, Any]:
    """What the first file says that shows somebody, {} if none does. UserError when none can be read: see `probe`."""
    there = [(row, file) for row, file in enumerate(source.files) if file is not None]
    sizes = images.sizes().tolist()

    def look(place: int) -> Mapping[str, Any] | None:
        row, file = there[place]
        try:
            return read(file, *sizes[row])
        except DAMAGE as error:
            raise ValueError(f"{file}: {error}") from error

    return probe(len(there), look, tool) or {}


def fitting(keypoints: np.ndarray, sizes: np.ndarray, what: str) -> None:
    """UserError when keypoints do not belong to images of these sizes.

    keypoints: float32 (N, K, 3), x and y in pixels, score. sizes: (N, 2), height and width. Those with a score of SURE
    or more count; a body that is cut off has some outside, other images have most.
    """
    sure = keypoints[..., 2] >= SURE
    height, width = sizes[:, :1], sizes[:, 1:]
    x, y = keypoints[..., 0], keypoints[..., 1]
    outside = ((x < 0) | (x > width) | (y < 0) | (y > height)) & sure
    if sure.any() and outside.sum() > OUTSIDE * sure.sum():
        row = int(np.flatnonzero(outside.any(1))[0])
        joint = int(np.flatnonzero(outside[row])[0])
        raise UserError(
            f"{what}: {outside.sum()} of {sure.sum()} sure keypoints lie outside their images, the first at "
            f"({x[row, joint]:.0f}, {y[row, joint]:.0f}) in an image of {sizes[row, 1]} x {sizes[row, 0]} pixels; "
            "these belong to images of another size. Run the tool on the images that were indexed"
        )


def build(
    head: dict[str, Any], source: Source, images: Images, read: Read, blank: Mapping[str, np.ndarray]
) -> tuple[dict[str, Any], Work]:
    """Header and work of a tool. blank: each member's values for an image that is not ok."""
    first(source, images, read, head["tool"])
    return {**head, "source": source.about}, partial(look, source, images.sizes(), read, dict(blank))


def look(
    source: Source, sizes: np.ndarray, read: Read, blank: dict[str, np.ndarray], start: int, stop: int
) -> dict[str, np.ndarray]:
    """Read the files of images start..stop-1. sizes: (N, 2), height and width in pixels."""
    n = stop - start
    result: dict[str, np.ndarray] = {
        "status": np.full(n, cache.MISSING, np.uint8),
        "score": np.zeros(n, np.float32),
        **{name: np.repeat(array[None], n, axis=0) for name, array in blank.items()},
    }
    for row in range(n):
        file = source.files[start + row]
        if start + row in source.ambiguous:
            result["status"][row] = cache.FAILED
        if file is None:
            continue
        try:
            found = read(file, *sizes[start + row].tolist())
        except DAMAGE as error:
            _there(file)
            print(f"{file}: {error}; its image {start + row} is `failed`", file=sys.stderr)
            result["status"][row] = cache.FAILED
            continue
        if found is not None:
            result["status"][row] = cache.OK
            for name, value in found.items():
                result[name][row] = value
    return result


def _there(file: Path) -> None:
    """UserError when a file cannot be read now, which is no finding about it. Its reader's error does not tell."""
    try:
        file.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {file} now: {error.strerror}; run it again when it is back") from error


def numbers(file: Path, member: str = "") -> np.ndarray:
    """The array in an .npy file, or the member of that name, or else the only one, in an .npz file: never pickled.

    ValueError when there is none or it holds anything but finite numbers.
    """
    try:
        loaded = np.load(file, allow_pickle=False)
    except chunks.DAMAGE as error:  # NumPy would advise to allow what can run any code
        _there(file)
        kind = foreign.what(file)
        found = f"it is {kind}" if kind and not kind.startswith("a NumPy") else "it is damaged, or holds Python objects"
        raise ValueError(f"{found}, expected an .npy or .npz file of numbers") from error
    if isinstance(loaded, np.lib.npyio.NpzFile):
        with loaded:
            names = loaded.files
            if member not in names and len(names) != 1:
                raise ValueError(f"it has the members {', '.join(names)}, expected {member!r} or a single one")
            loaded = loaded[member if member in names else names[0]]
    array = np.asarray(loaded)
    if array.dtype.kind not in "fiub" or not np.isfinite(array).all():
        raise ValueError(f"it holds {array.dtype} values that are not all numbers")
    return array
