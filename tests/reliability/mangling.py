"""Ways in which files arrive broken, drawn at random: cut, with other bytes, swapped, or something else altogether."""

import copy
import os
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

SHARE = float(os.environ.get("PARTREID_FUZZ", "1"))  # of the full number of cases

# values that stand where another kind was expected
OTHERS = (
    None,
    True,
    -1,
    0,
    0.5,
    1e9,
    10**30,
    "",
    "x",
    "None",
    "~",
    "a: b",
    [],
    ["x"],
    {},
    {"x": 1},
    [1, [2]],
    float("nan"),
)

Mangle = Callable[[bytes, np.random.Generator], bytes]


def cases(full: int) -> int:
    """How many cases this run makes of `full`."""
    return max(1, round(SHARE * full))


def _cut(data: bytes, random: np.random.Generator) -> bytes:
    return data[: random.integers(0, len(data) + 1)]


def _flipped(data: bytes, random: np.random.Generator) -> bytes:
    changed = bytearray(data)
    for place in random.integers(0, max(len(data), 1), random.integers(1, 20)):
        if len(changed):
            changed[place] ^= int(random.integers(1, 256))
    return bytes(changed)


def _head_flipped(data: bytes, random: np.random.Generator) -> bytes:
    return _flipped(data[:200], random) + data[200:]


def _end_flipped(data: bytes, random: np.random.Generator) -> bytes:
    return data[:-400] + _flipped(data[-400:], random)


def _hole(data: bytes, random: np.random.Generator) -> bytes:
    first, last = sorted(random.integers(0, len(data) + 1, 2).tolist())
    return data[:first] + bytes(last - first) + data[last:]


def _lost(data: bytes, random: np.random.Generator) -> bytes:
    first, last = sorted(random.integers(0, len(data) + 1, 2).tolist())
    return data[:first] + data[last:]


def _inserted(data: bytes, random: np.random.Generator) -> bytes:
    place = int(random.integers(0, len(data) + 1))
    return data[:place] + random.bytes(int(random.integers(1, 100))) + data[place:]


def _doubled(data: bytes, random: np.random.Generator) -> bytes:
    place = int(random.integers(0, len(data) + 1))
    return data[:place] + data + data[place:]


def _noise(data: bytes, random: np.random.Generator) -> bytes:
    return random.bytes(int(random.integers(0, len(data) + 1)))


def _else(_data: bytes, random: np.random.Generator) -> bytes:
    others = (
        b"",
        b"<!DOCTYPE html><html>login</html>",
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
        b"PK\x03\x04",
        b"\x80\x04\x95",
        b"null",
        b"[]",
        b"{}",
        b"\xff\xfe\x00p\x00a",
        b"\n" * 50,
    )
    return others[random.integers(len(others))]


WAYS: dict[str, Mangle] = {
    "cut": _cut,
    "flipped": _flipped,
    "head flipped": _head_flipped,
    "end flipped": _end_flipped,
    "hole": _hole,
    "lost": _lost,
    "inserted": _inserted,
    "doubled": _doubled,
    "noise": _noise,
    "something else": _else,
}


def mangled(data: bytes, random: np.random.Generator) -> tuple[str, bytes]:
    """One way and what it makes of a file's bytes."""
    name = list(WAYS)[random.integers(len(WAYS))]
    return name, WAYS[name](data, random)


def restructured(values: Any, random: np.random.Generator) -> Any:
    """A copy of nested lists and dictionaries in which one value, or one branch, is another one or gone."""
    result = copy.deepcopy(values)
    place, key = None, None
    here = result
    while isinstance(here, dict | list) and len(here) and (place is None or random.random() < 0.85):
        keys = list(here) if isinstance(here, dict) else list(range(len(here)))
        place, key = here, keys[random.integers(len(keys))]
        here = place[key]
    if random.random() < 0.15:
        del place[key]  # type: ignore[index]
    else:
        place[key] = OTHERS[random.integers(len(OTHERS))]  # type: ignore[index]
    return result


def told(error: BaseException) -> str:
    """An exception that nobody may see, in one line: what it is and where it was raised."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    ours = [frame for frame in traceback.extract_tb(error.__traceback__) if "partreid" in frame.filename]
    here = (ours or [last])[-1]
    return f"{type(error).__name__}: {error} ({Path(here.filename).name}:{here.lineno})"
