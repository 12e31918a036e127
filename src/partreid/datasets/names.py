"""The normal form of the names of persons and cameras: what people write in different ways and mean as one."""

import re
from collections import defaultdict
from collections.abc import Sequence

from partreid.datasets.walk import composed

# what programs write into a table where there is nothing (pandas, NumPy, R, SQL, Excel), compared in lower case
EMPTY = ("", "nan", "<na>", "na", "n/a", "#n/a", "none", "null", "nil", "nat")
NUMBER = re.compile(r"([+-]?)0*([0-9]+)(?:\.0*)?")  # a whole number, as 7, 007, 7.0, 7.
SHOWN = 5  # collisions that a warning names


def normal(name: str) -> str:
    """The form in which two names are compared: stripped, in NFC; whole numbers as 7, not 007 or 7.0."""
    name = composed(name).strip()
    number = NUMBER.fullmatch(name)
    if number is None:
        return name
    return "-" + number[2] if number[1] == "-" and number[2] != "0" else number[2]


def cell(value: str) -> str:
    """The value of a table's cell: "" where it says that there is none (EMPTY)."""
    value = value.strip()
    return "" if value.lower() in EMPTY else value


def unified(names: Sequence[str], what: str) -> tuple[list[str], list[str]]:
    """Names of one column, "" for none, each in the one spelling of all that are the same; and warnings.

    That spelling is the first in byte order of those that are not a number with a decimal point, in NFC; -1, junk, is
    always -1. Names that several spellings became one are reported.
    """
    spellings: dict[str, set[str]] = defaultdict(set)
    for name in names:
        spellings[normal(name)].add(name)
    chosen, merged = {}, []
    for key, ways in spellings.items():
        whole = sorted(composed(way).strip() for way in ways if NUMBER.fullmatch(way) is None or "." not in way)
        chosen[key] = key if key == "-1" or not whole else whole[0]
        if len(ways) > 1:
            merged.append(" = ".join(way if way.isascii() else ascii(way) for way in sorted(ways)))
    more = f" and {len(merged) - SHOWN} more" if len(merged) > SHOWN else ""
    told = f"{what} written in several ways are taken as one: {'; '.join(sorted(merged)[:SHOWN])}{more}"
    return [chosen[normal(name)] for name in names], [told] if merged else []
