"""Check every name and key of params.yaml before any work starts. Usage: python stages/check.py OUT"""

import sys
from pathlib import Path

from partreid import params
from partreid.errors import UserError
from partreid.experiments import overrides
from partreid.program import arguments, run
from partreid.storage import turn
from partreid.storage.files import write_text


def main() -> None:
    (out,) = arguments(__doc__, "out")
    turn.taken(params.read())
    try:
        p = params.load()
        for dataset in (p.dataset, *p.also_test_on):
            p.root(dataset)
        from partreid.experiments import additions, check  # not before: torch; and most mistakes show without it

        check.names(p)
        additions.protocols_of(p)
        additions.stages_of(p, Path("stages/dvc.yaml"))
        added = (*additions.data_sets(p), *additions.recipe_blocks(p, [p.model]))
        for warning in (
            *overrides.idle("HEAD", params.read()),
            *check.tables(p),
            *check.doubts(p),
            *check.other_tools(p),
            *added,
        ):
            print(f"warning: {warning}", file=sys.stderr)
    except UserError as error:
        raise UserError(f"{error}{kept()}") from error
    # constant on purpose: every stage depends on this file, and none should re-run because a checked value changed
    write_text(Path(out), "params.yaml holds only known names and keys\n")


def kept() -> str:
    """How to get rid of what -S wrote: DVC leaves a value in params.yaml that was found wrong."""
    blocks, values = overrides.apart("HEAD", params.read())
    named = ", ".join(values[:5]) + (f" and {len(values) - 5} more" if len(values) > 5 else "")
    told = f"\nparams.yaml keeps it until you change it. Since the last commit: {named or 'no other value'}"
    if blocks:  # somebody's work, as of a new method, which going back to the commit's file would lose
        return f"{told}; and new: {', '.join(blocks)}. Mend it by hand, or with -S, which leaves what is new"
    # not `git checkout`: see docs/pipeline.md
    return f"{told}. Back to that: git show HEAD:params.yaml > params.yaml" if values else ""


if __name__ == "__main__":
    run(main)
