"""Check every name and key of params.yaml before any work starts. Usage: python stages/check.py OUT"""

import sys
from pathlib import Path

from partreid import check, params
from partreid.errors import run
from partreid.files import write_text


def main() -> None:
    check.names(params.load())
    # constant on purpose: every stage depends on this file, and none should re-run because a checked value changed
    write_text(Path(sys.argv[1]), "params.yaml holds only known names and keys\n")


if __name__ == "__main__":
    run(main)
