"""What stages/inspect.py does."""

import sys

from partreid.inspection import diff, look


def main() -> None:
    """Run `diff` when it is the first word of the command line, else look."""
    words = sys.argv[1:]
    if words[:1] == ["diff"]:
        diff.main(words[1:])
    else:
        look.main(words)
