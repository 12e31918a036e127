"""Part-aligned person re-identification as reproducible pipelines, and as a library.

    import partreid
    model = partreid.load("weights.safetensors")
    people = model.embed(["a.jpg", "b.jpg"])
    partreid.distance(people, people)

docs/use.md shows the library. What it needs, torch among it, is imported when its first name is used.
"""

import importlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from partreid.api import Hits as Hits
    from partreid.api import Model as Model
    from partreid.api import People as People
    from partreid.api import distance as distance
    from partreid.api import evaluate as evaluate
    from partreid.api import load as load
    from partreid.api import rank as rank
    from partreid.errors import UserError as UserError

# Before torch loads OpenMP: let waiting threads sleep. By default they spin, and beside another busy process on the
# same cores a network then waits for time slices: seven times slower on two cores with one of them busy.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


PROGRAMS = ("stages", "benchmarks")  # a checkout's folders of programs; a script elsewhere takes what is installed


def _of_this_checkout() -> None:
    """Let a program of a checkout, as stages/train.py, run that checkout's code, whichever is installed.

    An environment that two clones share has one of them installed, and DVC's queue runs copies of a checkout: the code
    that runs must be the code whose digests DVC keeps.
    """
    program = getattr(sys.modules.get("__main__"), "__file__", None)
    folder = Path(program).resolve().parent if program else None
    source = folder.parent / "src" if folder and folder.name in PROGRAMS else None
    own = source / "partreid" if source else None
    if source and own and own.is_dir() and not own.samefile(__path__[0]):
        __path__[:] = [str(own)]
        sys.path.insert(0, str(source))  # which the processes that it starts get too


_of_this_checkout()

HANDED_ON = {
    "Hits": "partreid.api",
    "Model": "partreid.api",
    "People": "partreid.api",
    "UserError": "partreid.errors",
    "distance": "partreid.api",
    "evaluate": "partreid.api",
    "load": "partreid.api",
    "rank": "partreid.api",
}


if not TYPE_CHECKING:  # to a type checker it would say that there is every name

    def __getattr__(name: str) -> Any:
        if name not in HANDED_ON:
            raise AttributeError(f"module 'partreid' has no attribute {name!r}")
        return getattr(importlib.import_module(HANDED_ON[name]), name)


def __dir__() -> list[str]:
    """What is meant to be used: not what this file needs for itself."""
    return sorted([*HANDED_ON, *(name for name in globals() if name.startswith("__"))])
