"""Pictures that only one method has, as in its paper: one function per method, from a trained method to pictures."""

from collections.abc import Callable

from partreid.report import bpbreid, fsam, gradcam, mpn, pabr, pah
from partreid.report.context import Context, Figure

FIGURES: dict[str, Callable[[Context], list[Figure]]] = {
    "bpbreid": bpbreid.figures,
    "fsam": fsam.figures,
    "mpn": mpn.figures,
    "pabr": pabr.figures,
    "pah": pah.figures,
    "pcb": gradcam.figures,
}
"""By the method's key."""


def of(context: Context) -> list[Figure]:
    """The method's own pictures; none where its paper has no such ones."""
    make = FIGURES.get(context.trained.header["model"])
    return [] if make is None else make(context)
