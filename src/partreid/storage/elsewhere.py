"""Where pieces are made, if not by this machine's own processes: `--on` of the stages, or PARTREID_ON.

    ray                           the Ray cluster that RAY_ADDRESS names or that this machine is part of
    ray:HOST:PORT,cpus=2,gpus=1   one by its address; a piece asks for 2 cores and a GPU
    slurm:partition=gpu,jobs=32   jobs of a Slurm cluster; what else may be said stands in partreid.storage.on_slurm

No byte of a result depends on it, so it is no parameter of a pipeline. The driver, the stage itself, alone locks and
joins. Pieces lie in `tmp/pieces` of the project, on a disk that every machine sees under the same path, as it sees the
project, its data and its Python.
"""

import argparse
import os
from collections.abc import Callable, Mapping
from typing import Any

from partreid.errors import UserError, choose
from partreid.storage import on_ray, on_slurm
from partreid.storage.task import Task

VARIABLE = "PARTREID_ON"
HELP = "where the pieces are made: local (default), ray[:ADDRESS], slurm[:partition=NAME,...]; or PARTREID_ON"


PLACES: dict[str, Callable[..., None]] = {"ray": on_ray.do, "slurm": on_slurm.do}
KNOWN = {"ray": on_ray.OPTIONS, "slurm": on_slurm.OPTIONS}


def place(on: str | None) -> Callable[[Task], None] | None:
    """Who does a Task, by the words of `--on` or else of the environment; None for this machine's processes."""
    words = on or os.environ.get(VARIABLE) or "local"
    kind, _, rest = words.partition(":")
    if kind == "local" and not rest:
        return None
    do = choose({**PLACES, "local": None}, kind, f"place (--on {words})")
    if do is None:
        raise UserError(f"--on {words}: local takes no options")
    options = _options(kind, rest, words)
    return lambda task: do(task, **options)


def _options(kind: str, rest: str, words: str) -> Mapping[str, Any]:
    """`HOST:PORT,cpus=2` as {"address": "HOST:PORT", "cpus": 2}."""
    known = KNOWN[kind]
    found: dict[str, Any] = {}
    for word in filter(None, rest.split(",")):
        name, given, value = word.partition("=")
        if not given:
            name, value = "address", word
        if name not in known:
            raise UserError(f"--on {words}: unknown {word!r}; {kind} takes {', '.join(known)}")
        try:
            found[name] = known[name](value)
        except argparse.ArgumentTypeError as error:
            raise UserError(f"--on {words}: {name} {error}") from error
        except ValueError as error:
            raise UserError(f"--on {words}: {name} is a number, found {value!r}") from error
    return found
