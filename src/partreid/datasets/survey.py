"""What the readers of benchmarks share: from the tree to the named files, from rows to the finished table."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from partreid.datasets import counts, images
from partreid.datasets.walk import Walk, printable
from partreid.storage import image_table


class Survey:
    """One look through a benchmark's folders. What is no image, misnamed or unreadable is kept for the table's notes.

    root: the set's own folder or the one that holds it. folders: all that the set must have. archive: the name of the
    set's own folder. tree: the expected tree, printed by errors. Raises UserError when folders are missing.
    """

    def __init__(self, root: Path, folders: Sequence[str], archive: str, tree: str) -> None:
        self.root, self.archive, self.tree = root, archive, tree
        self.prefix = images.locate(root, folders, archive, tree)  # of every path: "" or archive + "/"
        self.walk = Walk(root)
        self.skipped, self.ignored = self.walk.skipped, self.walk.ignored

    def named(self, folder: str, name: re.Pattern[str], example: str) -> Iterator[tuple[str, re.Match[str]]]:
        """Image files right in `folder`: path relative to the root, and the match of the whole name.

        In byte order. Files that are not named like `example` are skipped.
        """
        for path in self.walk.files(self.prefix + folder):
            match = name.fullmatch(Path(path).name)
            if match is None:
                self.skipped.append([printable(path), f"the name is not like {example}"])
            else:
                yield path, match

    def by_person(self, folder: str, name: re.Pattern[str], example: str) -> Iterator[tuple[str, re.Match[str]]]:
        """As `named`, for the files of all folders in `folder`. Images right in it are skipped."""
        for path in self.walk.files(self.prefix + folder):
            self.skipped.append([printable(path), "lies in no person's folder"])
        for person in self.walk.folders(self.prefix + folder):
            yield from self.named(f"{folder}/{person}", name, example)

    def table(self, dataset: str, rows: Sequence[images.Row], published: counts.Counts, unsure: str = "") -> pa.Table:
        """The image table of rows with path, split and pid: measured, in order, counted and compared.

        unsure: a further warning where counts differ, when not all published ones can be trusted. Raises UserError
        when no image is left.
        """
        measured, unreadable = images.measure(self.root, images.in_order(rows, image_table.SPLITS))
        skipped = self.skipped + unreadable
        if not measured:
            first = f", {len(skipped)} skipped; the first: {': '.join(skipped[0])}" if skipped else ""
            problem = f"the folders hold no image of {self.archive}{first}"
            raise images.bad_layout(self.root / self.prefix, problem, self.tree)
        found = counts.count(measured)
        warnings = [f"this copy is incomplete or altered: {line}" for line in counts.differences(found, published)]
        about = {
            "dataset": dataset,
            "found": found,
            "published": published,
            "skipped": skipped,
            "ignored": dict(sorted(self.ignored.items())),
            "warnings": warnings + [unsure] if warnings and unsure else warnings,
        }
        return image_table.build(measured, about)
