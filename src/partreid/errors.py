"""The one exception a user's mistake raises, and what raises it for a value that is not among the known ones."""

import operator
from collections.abc import Hashable, Mapping
from typing import SupportsIndex, TypeVar

from partreid.words import natural

T = TypeVar("T")


class UserError(Exception):
    """Bad input. The message says what was found, what was expected, what to do; shown without a traceback."""


def reason(error: Exception) -> str:
    """What an exception of a library says, in one line."""
    return " ".join(str(error).split())


def positive(value: object, name: str) -> int:
    """A whole number of 1 or more, Python's or NumPy's; a UserError for anything else, which calls it by `name`."""
    number = operator.index(value) if isinstance(value, SupportsIndex) else 0
    if number < 1:
        raise UserError(f"{name} is {value!r}, expected 1 or more, a whole number")
    return number


def choose(table: Mapping[str, T], name: str, kind: str) -> T:
    """Look `name` up in a registry; an unknown name is a UserError that lists the known ones."""
    if not isinstance(name, Hashable) or name not in table:  # a list, in the place of a name in params.yaml
        known = sorted(map(str, table), key=natural)
        between = "; " if any("," in each for each in known) else ", "  # as of a table's rows
        raise UserError(f"unknown {kind} {name!r}; known: {between.join(known) or 'none'}")
    return table[name]
