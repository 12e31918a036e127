"""An image table in a few lines of text: what was found, what was published, what went wrong."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from partreid.datasets.counts import Counts, count
from partreid.storage import image_table

SHOWN = 10  # skipped files that are named


def found(table: pa.Table) -> Counts:
    """Counts of an image table (see `partreid.datasets.counts.count`)."""
    return count(table.select(["split", "pid", "camid"]).to_pylist())


def splits(table: pa.Table) -> str:
    """A table with images, persons and cameras per split, and how many files were skipped."""
    counts = found(table)
    lines: list[list[Any]] = [["split", "images", "persons", "cameras", "distractors", "junk"]]
    for split in image_table.SPLITS:
        if f"{split} images" in counts:
            per_camera = counts.get(f"{split} images per camera", [])
            cameras = sum(number > 0 for number in per_camera) if isinstance(per_camera, list) else 0
            rest = [counts.get(f"{split} {name}", 0) for name in ("distractors", "junk")]
            lines.append([split, counts[f"{split} images"], counts[f"{split} persons"], cameras, *rest])
    lines.append(["skipped", len(image_table.about(table).get("skipped", [])), "", "", "", ""])
    return aligned(lines)


def comparison(table: pa.Table) -> tuple[str, int]:
    """Found counts beside published ones, and how many differ (0 for a set without published counts)."""
    counts, published = found(table), image_table.about(table).get("published", {})
    lines: list[list[Any]] = [["", "found", "published", ""]]
    differing = 0
    for name in [*counts, *(name for name in published if name not in counts)]:
        if name not in published:
            lines.append([name, _short(counts[name]), "", ""])
            continue
        differs = counts.get(name, 0) != published[name]
        differing += differs
        lines.append([name, _short(counts.get(name, 0)), _short(published[name]), "DIFFERS" if differs else "ok"])
    return aligned(lines), differing


def troubles(table: pa.Table) -> str:
    """Warnings, skipped files with their reasons (the first SHOWN), and files that were no images."""
    about = image_table.about(table)
    lines = [f"warning: {warning}" for warning in about.get("warnings", [])]
    skipped = about.get("skipped", [])
    if skipped:
        lines.append(f"skipped {len(skipped)}:")
        lines += [f"  {path}: {reason}" for path, reason in skipped[:SHOWN]]
        if len(skipped) > SHOWN:
            lines.append(f"  ... and {len(skipped) - SHOWN} more, all named in the table's metadata (data/README.md)")
    if about.get("ignored"):
        lines.append("no images: " + ", ".join(f"{number} {ending}" for ending, number in about["ignored"].items()))
    return "\n".join(lines) or "nothing skipped"


def aligned(lines: Sequence[Sequence[Any]]) -> str:
    """Rows of cells as text: the first column to the left, the others to the right."""
    cells = [[str(cell) for cell in line] for line in lines]
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    lined = ([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])] for line in cells)
    return "\n".join("  ".join(line).rstrip() for line in lined)


def _short(value: int | list[int]) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
