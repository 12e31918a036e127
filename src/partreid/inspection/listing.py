"""Which images of a label cache are shown, and in which order: of what is known of all N without opening a map."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from partreid.errors import UserError, choose
from partreid.storage.cache import OK, STATUS


@dataclass(frozen=True)
class Known:
    """What is known of the images. other, agreement: of a second label, where two are compared."""

    split: np.ndarray  # strings (N,)
    person: np.ndarray  # strings (N,): what each person is called
    status: np.ndarray  # uint8 (N,)
    score: np.ndarray  # float32 (N,)
    other: np.ndarray | None = None  # uint8 (N,), the second label's status
    agreement: np.ndarray | None = None  # float (N,), NaN where it is not known, or one side has no label


@dataclass(frozen=True)
class Wanted:
    """Which images: everything that is given must hold. An empty text or sequence asks for nothing.

    person: a name as `Known.person` has it; numbers are equal whatever zeros they begin with. statuses: names.
    low, high: of the score, both included. found: which of two labels found somebody, a key of FOUND.
    """

    split: str = ""
    person: str = ""
    statuses: Sequence[str] = ()
    low: float = 0.0
    high: float = 1.0
    found: str = ""
    order: str = "score"


FOUND: dict[str, tuple[bool, bool]] = {
    "both": (True, True),
    "first": (True, False),
    "second": (False, True),
    "neither": (False, False),
}
"""Who found somebody -> whether the first label did, and the second."""


def rows(known: Known, wanted: Wanted) -> np.ndarray:
    """The images to show, by number, in their order: int64 (n,). Ties stay in the order of the image table.

    UserError for what is not there to be asked for; no image is no error.
    """
    kept = np.flatnonzero(_matching(known, wanted))
    values = choose(ORDERS, wanted.order, "order")(known)[kept]
    return kept[np.argsort(values, kind="stable")]  # NaN last


def _agreement(known: Known) -> np.ndarray:
    if known.agreement is None:
        raise UserError("images are ordered by agreement where two labels are side by side; choose a second tool")
    return known.agreement


ORDERS: dict[str, Callable[[Known], np.ndarray]] = {
    "score": lambda known: known.score,
    "-score": lambda known: -known.score,
    "image": lambda known: np.arange(len(known.score)),
    "agreement": _agreement,
    "-agreement": lambda known: -_agreement(known),
}
"""Name of an order -> what grows in it, (N,)."""


def _matching(known: Known, wanted: Wanted) -> np.ndarray:
    low, high = np.float32(wanted.low), np.float32(wanted.high)  # as scores are stored: 0.9 is 0.9
    kept = (known.score >= low) & (known.score <= high)
    if wanted.split:
        kept &= known.split == choose({name: name for name in np.unique(known.split).tolist()}, wanted.split, "split")
    if wanted.person:
        kept &= np.isin(known.person, _called(known.person, wanted.person))
    if wanted.statuses:
        numbers = {name: number for number, name in enumerate(STATUS)}
        kept &= np.isin(known.status, [choose(numbers, name, "status") for name in wanted.statuses])
    if wanted.found:
        first, second = choose(FOUND, wanted.found, "answer to who found somebody")
        if known.other is None:
            raise UserError("who found somebody is asked where two labels are side by side; choose a second tool")
        kept &= ((known.status == OK) == first) & ((known.other == OK) == second)
    return kept


def _called(persons: np.ndarray, word: str) -> list[str]:
    """The names among `persons`, strings (N,), that a person means who writes `word`."""

    def plain(name: str) -> str:
        return str(int(name)) if name.isdecimal() else name.strip().casefold()

    return [name for name in np.unique(persons).tolist() if plain(name) == plain(word.strip())]
