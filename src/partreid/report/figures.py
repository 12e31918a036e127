"""Pictures that only one method has, as in its paper: one function per method, from a trained method to pictures."""

from collections.abc import Callable

from partreid.report import fsam, pabr
from partreid.report.context import Context, Figure

FIGURES: dict[str, Callable[[Context], list[Figure]]] = {"pabr": pabr.figures, "fsam": fsam.figures}
"""By the method's key."""
