"""Check every name and key of params.yaml before any work starts. Usage: python stages/check.py OUT"""

import sys
from pathlib import Path

from partreid import params
from partreid.errors import arguments, run
from partreid.experiments import check
from partreid.storage.files import write_text


def main() -> None:
    (out,) = arguments(__doc__, "out")
    p = params.load()
    check.names(p)
    for warning in (*check.tables(p), *check.doubts(p), *check.other_tools(p)):
        print(f"warning: {warning}", file=sys.stderr)
    # constant on purpose: every stage depends on this file, and none should re-run because a checked value changed
    write_text(Path(out), "params.yaml holds only known names and keys\n")


if __name__ == "__main__":
    run(main)
