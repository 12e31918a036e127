"""Numbers among words."""

import re


def counted(number: int, what: str) -> str:
    """A number with its noun: 1 epoch, 2 epochs."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def natural(name: str) -> list[tuple[bool, int, str]]:
    """A key to sort names by in which numbers count as numbers, before words: 2, 10, part_9, part_10."""
    return [
        (False, int(part), "") if part.isdecimal() else (True, 0, part) for part in re.split(r"(\d+)", name) if part
    ]
