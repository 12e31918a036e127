"""What an address asks the label viewer for. Every value is a name out of a list, or a number: never a path."""

from collections.abc import Mapping
from dataclasses import dataclass

from partreid.errors import UserError
from partreid.inspection.listing import Wanted
from partreid.inspection.sources import CACHE

PARTS = "8"  # pifpaf's parts when nobody says which


@dataclass(frozen=True)
class Asked:
    """a, b: sources of the label; b is "" where one is looked at alone. parts: of pifpaf. page: from 1.

    at: an image whose page is meant in place of `page`, if it is among those wanted.
    """

    dataset: str
    label: str
    a: str
    b: str
    parts: str
    wanted: Wanted
    page: int
    at: int | None


def asked(query: Mapping[str, str]) -> Asked:
    """UserError for a number that is none, or a score outside 0..1. Names are checked where they are looked up.

    What is empty, as a form's empty field, is as good as not there.
    """
    low, high = _share(query, "low", 0.0), _share(query, "high", 1.0)
    if low > high:
        raise UserError(f"no score is at least {low:g} and at most {high:g}; exchange the two")
    wanted = Wanted(
        split=query.get("split", ""),
        person=query.get("person", "").strip(),
        statuses=[name for name in query.get("status", "").split(",") if name],
        low=low,
        high=high,
        found=query.get("found", ""),
        order=query.get("order") or "score",
    )
    return Asked(
        need(query, "dataset"),
        need(query, "label"),
        query.get("a") or CACHE,
        query.get("b", ""),
        query.get("parts") or PARTS,
        wanted,
        _number(query, "page", 1) or 1,
        _number(query, "at", 0),
    )


def need(query: Mapping[str, str], name: str) -> str:
    """A value that has to be there."""
    if not query.get(name):
        raise UserError(f"the address names no {name}; add {name}=... to it")
    return query[name]


def _number(query: Mapping[str, str], name: str, least: int) -> int | None:
    word = query.get(name, "")
    if not word:
        return None
    if not word.isdecimal() or len(word) > 9 or int(word) < least:
        raise UserError(f"{name} is a number from {least} on, found {word[:40]!r}")
    return int(word)


def _share(query: Mapping[str, str], name: str, otherwise: float) -> float:
    word = query.get(name, "")
    try:
        value = float(word) if word else otherwise
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:  # NaN too
        raise UserError(f"a score lies between 0 and 1, found {name}={word[:40]!r}")
    return value
