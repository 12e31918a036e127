"""Where a data set's labels can be had from: a label's cache, or in memory from what a tool said."""

from pathlib import Path

from partreid.errors import UserError
from partreid.labels import LABELS, made, native
from partreid.storage.places import maker
from partreid.tools import TOOLS

CACHE = "cache"  # the source that is a file; the others are tools, by name
EVERY = (*LABELS, *made.MADE)


def file(label: str, dataset: str) -> Path:
    """Where a label's cache lies, whoever makes it."""
    return LABELS[label].file(label, dataset) if label in LABELS else made.file(label, dataset)


def sources(label: str, dataset: str) -> list[str]:
    """CACHE, where there is one, and the tools that looked at the data set and can feed the label."""
    cached = [CACHE] if file(label, dataset).is_file() else []
    if label not in LABELS:
        return cached
    looked = [name for name, tool in TOOLS.items() if LABELS[label].fed_by(tool.gives)]
    return cached + [name for name in looked if native.file(name, dataset).is_file()]


def word(label: str, dataset: str, source: str) -> str:
    """The source as quality.side.open_side takes it. UserError that says how to make one that is not there."""
    there = sources(label, dataset)
    if source in there:
        return str(file(label, dataset)) if source == CACHE else source
    if source == CACHE:
        raise UserError(f"no {label} labels of {dataset} yet; {remedy(label, dataset)}")
    if source in TOOLS and label in LABELS and LABELS[label].fed_by(TOOLS[source].gives):
        raise UserError(f"{source} has not looked at {dataset} yet; `{maker(native.file(source, dataset))}` makes it")
    raise UserError(f"{label} labels cannot be made from {source!r}; there are: {', '.join(there) or 'none'}")


def remedy(label: str, dataset: str) -> str:
    """What makes a label's cache, in words."""
    return f"`{maker(file(label, dataset))}` makes them"
