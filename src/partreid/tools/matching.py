"""Which file, or entry of a file, that a tool wrote elsewhere belongs to which image: by path, with a report.

A key is the path of a file without the ending that the tool adds, or the name in an entry of a JSON file. An image and
a key belong together when, first rule that holds:

    whole path    their paths are equal
    last folders  their last k >= 2 components are equal, the largest k first
    file name     their file names are equal

in whatever Unicode form, with / or Windows' \\ between folders, each time compared with the image's ending (`a/x.jpg`),
without it (`x.jpg` and key `x`), and last without the key's own image ending (`x.png` and key `x.jpg`). A rule holds
only if no other image and no other key would pass it too. What is left over is an image without a file, a file without
an image, or, where candidates are left, an ambiguous image. Images whose bytes are equal are one image here, and share
a key: benchmarks have copies of a query in their galleries, under the same name.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from partreid.datasets.walk import ENDINGS, composed
from partreid.errors import UserError

EXAMPLES = 3  # of each kind, in the report and in a cache's header


@dataclass(frozen=True)
class Matches:
    """What belongs together, and what does not."""

    images: tuple[str, ...]  # paths, in table order
    keys: tuple[str | None, ...]  # of each image
    rules: dict[str, int]  # rule -> images matched by it
    ambiguous: dict[int, tuple[str, ...]]  # image -> keys that could all be its own
    unused: tuple[str, ...]  # keys without an image, the ambiguous ones left out

    def unmatched(self) -> list[str]:
        """Paths of the images that no key fits."""
        pairs = zip(self.images, self.keys, strict=True)
        return [path for row, (path, key) in enumerate(pairs) if key is None and row not in self.ambiguous]

    def about(self) -> dict[str, Any]:
        """Counts and first examples, for a cache's header."""
        return {
            "images": len(self.images),
            "matched": self.rules,
            "unmatched": _some(self.unmatched()),
            "unused": _some(self.unused),
            "ambiguous": _some([f"{self.images[row]}: {', '.join(keys)}" for row, keys in self.ambiguous.items()]),
        }


def _some(names: Sequence[str]) -> dict[str, Any]:
    return {"count": len(names), "first": list(names[:EXAMPLES])}


def text(about: dict[str, Any]) -> str:
    """What Matches.about gives as a table for people."""
    rules = ", ".join(f"{count} by {rule}" for rule, count in about["matched"].items() if count)
    lines = [f"{sum(about['matched'].values()):>8} of {about['images']} images matched{f': {rules}' if rules else ''}"]
    for name, words in (
        ("unmatched", "images that nothing belongs to"),
        ("unused", "files or entries that belong to no image"),
        ("ambiguous", "images that could have one of several, or share one with another image"),
    ):
        found = about[name]
        if found["count"]:
            lines.append(f"{found['count']:>8} {words}, such as")
            lines.extend(f"{'':>11}{example}" for example in found["first"])
    return "\n".join(lines)


def required(matches: Matches, names: Sequence[str], what: str, key: str) -> None:
    """UserError when nothing matched. what: where `names`, of files or entries, are from. key: of params.yaml."""
    if any(matches.keys):
        return
    some = ", ".join(names[:EXAMPLES]) or "none"
    if matches.ambiguous:
        row, candidates = next(iter(matches.ambiguous.items()))
        raise UserError(
            f"every name in {what} ({key}) could be that of several images, as {candidates[0]} that of "
            f"{matches.images[row]}. Names: {some}, ... Give one for each split: {key}: {{query: ..., gallery: ...}}"
        )
    raise UserError(
        f"nothing in {what} ({key}) belongs to an image. Images: {', '.join(matches.images[:EXAMPLES])}, ... "
        f"Names: {some}, ... They are matched by path: by the whole of it, the last folders, or the file name alone"
    )


def without(name: str, endings: Iterable[str]) -> str:
    """A path without the first of `endings` that it has, whatever the case."""
    lower = name.lower()
    for ending in endings:
        if lower.endswith(ending.lower()) and len(lower) > len(ending):
            return name[: -len(ending)]
    return name


def match(
    images: Sequence[str],
    keys: Sequence[str],
    names: Sequence[str] | None = None,
    digests: Sequence[str] | None = None,
) -> Matches:
    """Find each image's key; see the module's docstring.

    images: different paths with /. keys: what to give back, such as the files' paths. names: what to compare of each
    key, its path without the tool's ending; default: the key itself. digests: of the images' bytes; default: all
    differ.
    """
    image_parts = [composed(path).split("/") for path in images]
    key_parts = [composed(name).replace("\\", "/").removeprefix("./").split("/") for name in names or keys]
    bare_images = [_bare(parts) for parts in image_parts]
    forms = [(image_parts, key_parts), (bare_images, key_parts), (bare_images, [_bare(parts) for parts in key_parts])]
    found: list[int | None] = [None] * len(images)
    owner: list[str | None] = [None] * len(keys)  # digest of the image that has the key
    same = list(digests) if digests is not None else [str(row) for row in range(len(images))]
    ambiguous: dict[int, tuple[str, ...]] = {}
    rules = {"whole path": 0, "last folders": 0, "file name": 0}
    deepest = max(map(len, image_parts), default=0)
    for depth in (None, *range(deepest, 0, -1)):
        rule = "whole path" if depth is None else "last folders" if depth > 1 else "file name"
        for ours, theirs in forms:
            groups = _grouped(theirs, _tail(depth))
            for tail, rows in _grouped(ours, _tail(depth)).items():
                candidates = groups.get(tail, [])
                open_rows = [row for row in rows if found[row] is None]
                one = len({same[row] for row in rows}) == 1 and len(candidates) == 1
                if one and open_rows and owner[candidates[0]] in (None, same[rows[0]]):
                    owner[candidates[0]] = same[rows[0]]
                    rules[rule] += len(open_rows)
                    for row in open_rows:
                        found[row] = candidates[0]
                        ambiguous.pop(row, None)
                elif left := [key for key in candidates if owner[key] is None]:
                    for row in open_rows:
                        ambiguous.setdefault(row, tuple(keys[key] for key in left))
    ambiguous = {row: left for row, left in sorted(ambiguous.items()) if found[row] is None}
    puzzling = {key for left in ambiguous.values() for key in left}
    unused = [key for key, has in zip(keys, owner, strict=True) if has is None and key not in puzzling]
    found_keys = tuple(None if key is None else keys[key] for key in found)
    return Matches(tuple(images), found_keys, rules, ambiguous, tuple(unused))


def _bare(parts: list[str]) -> list[str]:
    return [*parts[:-1], without(parts[-1], ENDINGS)]


def _tail(depth: int | None) -> Callable[[list[str]], str | None]:
    """A path's last `depth` components, None where it has fewer; the whole path for depth None."""
    if depth is None:
        return "/".join
    return lambda parts: "/".join(parts[-depth:]) if len(parts) >= depth else None


def _grouped(paths: list[list[str]], tail: Callable[[list[str]], str | None]) -> dict[str, list[int]]:
    groups: dict[str, list[int]] = defaultdict(list)
    for number, parts in enumerate(paths):
        name = tail(parts)
        if name is not None:
            groups[name].append(number)
    return groups
