"""How far a piece of work is: a bar on a terminal, elsewhere, as in a log, a line now and then."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Protocol, Self, TypeVar

from tqdm import tqdm

T = TypeVar("T")
SECONDS = 15.0  # between two lines, at least


class Bar(Protocol):
    """What tqdm's bar and Lines have in common. `total` may be set at any time; `n` are done."""

    n: int
    total: int

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> object: ...
    def update(self, n: int = 1) -> object:
        """`n` more are done."""

    def set_description(self, desc: str) -> None:
        """Call the work otherwise from now on."""

    def reset(self) -> object:
        """The work begins now, at 0: what came before was none of it."""

    def clear(self) -> None:
        """Make room for lines of somebody else's."""


class Lines:
    """What a log is told: the work as it begins and ends and, at most every SECONDS, count, rate and the time left.

    clock: gives seconds. brief: without the lines at begin and end, for work that is often too short to be told of.
    """

    def __init__(
        self,
        total: int,
        what: str,
        unit: str,
        done: int = 0,
        brief: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ):
        self.n = self._before = done
        self.total = total
        self._what, self._unit, self._brief, self._clock = what, unit, brief, clock
        self._began = self._told = clock()
        if not brief:
            self._say(f"{done:,} of {self._all()}" if done else self._all())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None and not self._brief:
            self._say(f"{self.n:,} of {self._all()} in {tqdm.format_interval(self._spent())}")

    def update(self, n: int = 1) -> None:
        """`n` more are done."""
        self.n += n
        now = self._clock()
        if now - self._told < SECONDS or self.n >= self.total:
            return
        self._told = now
        rate = (self.n - self._before) / self._spent()
        left = tqdm.format_interval((self.total - self.n) / rate) if rate else "unknown"
        self._say(f"{self.n:,} of {self._all()}, {rate:.3g} a second, {left} left")

    def set_description(self, desc: str) -> None:
        """Call the work otherwise from now on."""
        self._what = desc

    def reset(self) -> None:
        """The work begins now, at 0: what came before was none of it."""
        self.n = self._before = 0
        self._began = self._told = self._clock()

    def clear(self) -> None:
        """Make room for lines of somebody else's: here each has its own."""

    def _all(self) -> str:
        return f"{self.total:,} {self._unit}" + ("" if self.total == 1 else "s")

    def _spent(self) -> float:
        return float(self._clock() - self._began)

    def _say(self, what: str) -> None:
        print(f"{self._what}: {what}" if self._what else what, file=sys.stderr, flush=True)


def progress(
    total: int, what: str, unit: str = "image", done: int = 0, brief: bool = False, quiet: bool = False
) -> Bar:
    """A context that is told of work by `update(n)`, in stderr. unit: in the singular. done: of an earlier run.

    brief: leaves no trace of itself when it has ended. quiet: says nothing.
    """
    if quiet or sys.stderr.isatty():
        return tqdm(total=total, initial=done, desc=what, unit=unit, leave=not brief, disable=quiet)
    return Lines(total, what, unit, done, brief)


def followed(items: Iterable[T], total: int, what: str) -> Iterator[T]:
    """The items, `total` images, with their progress."""
    with progress(total, what) as bar:
        for item in items:
            yield item
            bar.update()
