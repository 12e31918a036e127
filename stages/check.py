"""Check every name and key of params.yaml before any work starts. Usage: python stages/check.py OUT"""

import sys
from pathlib import Path

from partreid import params
from partreid.errors import UserError, arguments, run
from partreid.experiments import overrides
from partreid.storage import turn
from partreid.storage.files import write_text


def main() -> None:
    (out,) = arguments(__doc__, "out")
    turn.taken(params.read())
    try:
        p = params.load()
        for dataset in (p.dataset, *p.also_test_on):
            p.root(dataset)
        from partreid.experiments import check  # not before: it brings torch, and most mistakes show without

        check.names(p)
        for warning in (*check.tables(p), *check.doubts(p), *check.other_tools(p)):
            print(f"warning: {warning}", file=sys.stderr)
    except UserError as error:
        raise UserError(f"{error}{kept()}") from error
    # constant on purpose: every stage depends on this file, and none should re-run because a checked value changed
    write_text(Path(out), "params.yaml holds only known names and keys\n")


def kept() -> str:
    """How to get rid of what -S wrote: DVC leaves a value in params.yaml that was found wrong."""
    changed = overrides.since("HEAD", params.read())
    if not changed:
        return ""
    named = ", ".join(changed[:5]) + (f" and {len(changed) - 5} more" if len(changed) > 5 else "")
    return (
        f"\nparams.yaml keeps it until you change it. Since the last commit: {named}. "
        "Back to that: git show HEAD:params.yaml > params.yaml"  # not `git checkout`: see docs/pipeline.md
    )


if __name__ == "__main__":
    run(main)
