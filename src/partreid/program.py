"""A program on the command line: its arguments, and how it shows a user's mistake."""

import argparse
import io
import os
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from partreid.errors import UserError, reason


def run(main: Callable[[], None]) -> NoReturn:
    """Run a program's main function; a UserError or OSError is a message on stderr and exit status 1, Ctrl-C 130.

    So is a GPU whose memory does not suffice, which torch says with an exception of its own.

    Letters that the terminal's encoding lacks are printed as escapes.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        main()
    except (UserError, OSError) as error:
        print(f"error: {_told(error)}", file=sys.stderr)
        sys.exit(1)
    except RuntimeError as error:
        if type(error).__name__ != "OutOfMemoryError":  # torch's; not all that comes through here imports torch
            raise
        print(f"error: {_too_little_memory(error)}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        first = "when dvc has ended too, " if "DVC_STAGE" in os.environ else ""  # it looks through its files first
        print(f"interrupted; {first}run the same command again to go on from here", file=sys.stderr)
        sys.exit(130)
    sys.exit(0)


def _told(error: UserError | OSError) -> str:
    """A message without the system's number: of a folder without permission, say, what it is and why."""
    if isinstance(error, UserError):
        return str(error)
    files = [str(file) for file in (error.filename, error.filename2) if file is not None]
    return f"{' -> '.join(files)}: {error.strerror}" if files else str(error)


def _too_little_memory(error: Exception) -> str:
    """What torch says of a GPU's memory, less its advice on its allocator, and what to do."""
    said = ". ".join(reason(error).split(". ")[:3])
    return (
        f"{said}. End what else uses the GPU (see nvidia-smi), or ask for less: in training fewer images in a batch "
        "(ids_per_batch, images_per_id of the recipe, with a lower learning_rate), smaller ones (height, width), or "
        "more GPUs (train.processes); unchanged, the same command goes on from the last epoch"
    )


def arguments(doc: str | None, *names: str) -> list[str]:
    """The values of a program's positional arguments; a wrong number prints the program's usage and ends it."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in names:
        parser.add_argument(name)
    return list(vars(parser.parse_args()).values())


def at_least(least: int, kind: Callable[[str], float] = int) -> Callable[[str], Any]:
    """What argparse makes a number of a word with, a whole one unless kind is float."""

    def number(word: str) -> float:
        if not kind(word) >= least:  # NaN is not
            raise argparse.ArgumentTypeError(f"must be {least} or more, found {word}")
        return kind(word)

    return number
