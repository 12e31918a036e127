"""Tables that turn published names of tensors into ours, and what applying one gives.

A table is rows of (published, ours); the first that fits counts. `*` stands for any text and `#` for a number; in
`ours` they are what they were in `published`, texts and numbers each in turn. Ours ending in `[#]` is a piece of one
tensor, which is put together of its pieces from 0 on. None: nothing of ours is computed with it. Shapes that differ by
ones alone, as 512 x 2048 x 1 x 1 and 512 x 2048, fit.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from partreid.checkpoints.contents import Tensors
from partreid.checkpoints.torch_files import Stored
from partreid.errors import UserError

Table = Sequence[tuple[str, str | None]]
PIECE = re.compile(r"(.*)\[(\d+)\]")
COUNTERS = "num_batches_tracked"


@dataclass(frozen=True)
class Renamed:
    """places: our name -> the published names that make it, in order. unused: published names without a place that
    the table knows of; unknown: those that it does not."""

    places: Mapping[str, Sequence[str]]
    unused: Sequence[str]
    unknown: Sequence[str]


def renamed(names: Iterable[str], table: Table) -> Renamed:
    """Apply a table to published names."""
    rows = [(_pattern(published), published, ours) for published, ours in table]
    pieces: dict[str, dict[int, str]] = {}
    unused, unknown = [], []
    for name in names:
        fits = next(((match, row) for row in rows if (match := row[0].fullmatch(name))), None)
        if fits is None:
            unknown.append(name)
            continue
        match, (_, published, ours) = fits
        if ours is None:
            unused.append(name)
            continue
        target, number = _filled(ours, match.groups(), published), 0
        if piece := PIECE.fullmatch(target):
            target, number = piece[1], int(piece[2])
        if number in pieces.setdefault(target, {}):
            raise UserError(f"{pieces[target][number]} and {name} would both become {target}")
        pieces[target][number] = name
    places = {}
    for target, of in pieces.items():
        if sorted(of) != list(range(len(of))):
            raise UserError(f"{target} is put together of pieces 0, 1, ..., found {sorted(of)}")
        places[target] = [of[number] for number in range(len(of))]
    return Renamed(places, unused, unknown)


def fitted(given: Tensors, published: Sequence[str], ours: Tensor, name: str) -> Tensor:
    """The published tensors as one of the shape of `ours`; counters as the first. UserError where they do not fit."""
    found = [read(given[each]) for each in published]
    if name.endswith(COUNTERS):
        return found[0].reshape(())
    for each, value in zip(published, found, strict=True):
        if ours.is_floating_point() and not (value.is_floating_point() and bool(value.isfinite().all())):
            kind = "NaN or infinite" if value.is_floating_point() else str(value.dtype).removeprefix("torch.")
            raise UserError(f"{each} holds {kind} values, expected finite floating-point ones")
    if len({value.shape for value in found}) > 1:
        shapes = " and ".join(dict.fromkeys(str(tuple(value.shape)) for value in found))
        raise UserError(f"the pieces of {name}, {published[0]} and so on, differ in shape: {shapes}")
    together = found[0] if len(found) == 1 else torch.stack(found)
    least = [n for n in together.shape if n != 1]
    joined = len(found) > 1 and list(together.flatten(0, 1).shape) == list(ours.shape)
    if not (joined or least == [n for n in ours.shape if n != 1]):
        count = f" ({len(found)} of them)" if len(found) > 1 else ""
        raise UserError(f"{published[0]}{count} has the shape {tuple(found[0].shape)}, {name} here {tuple(ours.shape)}")
    return together.reshape(ours.shape).to(ours.dtype)


def shape(given: Tensors, name: str, axes: int = 1) -> tuple[int, ...]:
    """Of a published tensor, without reading it. UserError when there is none, it is empty or has fewer axes."""
    if name not in given:
        raise UserError(f"there is no tensor {name}; is it a checkpoint of another family?")
    value = given[name]
    size = value.size if isinstance(value, Stored) else tuple(value.shape)
    if len(size) < axes or 0 in size:
        raise UserError(f"{name} has the shape {size}, which tells no width; is it a checkpoint of another family?")
    return size


def read(value: Stored | Tensor) -> Tensor:
    """A published tensor, read if it is still in the file."""
    return value.tensor() if isinstance(value, Stored) else value


def _pattern(published: str) -> re.Pattern[str]:
    words = {"*": "(.+)", "#": r"(\d+)"}
    return re.compile("".join(words.get(each, re.escape(each)) for each in published))


def _filled(ours: str, words: Sequence[str], published: str) -> str:
    """The words in place of the marks, numbers and other text each in their own order."""
    marks = [mark for mark in published if mark in "*#"]
    rest = {mark: iter([word for word, of in zip(words, marks, strict=True) if of == mark]) for mark in "*#"}
    return re.sub(r"[*#]", lambda mark: next(rest[mark[0]]), ours)
