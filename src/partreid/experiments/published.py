"""published.yaml: what the papers' tables say of our methods, with its source."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from partreid import params
from partreid.errors import choose
from partreid.evaluation.protocols import PROTOCOLS, RE_RANKED


@dataclass(frozen=True)
class Published:
    """What one row of a table says by the protocols of one data set.

    source: paper and table. row: as the table calls it. numbers: protocol -> mAP, rank1, ... that it gives, per cent.
    trained_on: the data set that was trained on. note: what the paper leaves open, or "".
    """

    source: str
    row: str
    method: str
    dataset: str
    numbers: Mapping[str, Mapping[str, float]]
    trained_on: str
    note: str


def read(path: Path) -> list[Published]:
    """All that the file holds, in its order. UserError for a data set or a protocol that partreid does not have."""
    found = []
    for paper in params.told(path).values():
        for table, rows in paper["tables"].items():
            for row in rows:
                for dataset, numbers in row["results"].items():
                    known = choose(PROTOCOLS, dataset, "data set with protocols")
                    for protocol in numbers:
                        choose(known, protocol.removesuffix(RE_RANKED), f"protocol of {dataset}")
                    found.append(
                        Published(
                            f"{paper['title']}, table {table}",
                            row["row"],
                            row["method"],
                            dataset,
                            numbers,
                            row.get("trained_on", dataset),
                            row.get("note", ""),
                        )
                    )
    return found


def of(
    entries: Iterable[Published], dataset: str, protocols: Collection[str], methods: Collection[str]
) -> list[Published]:
    """Those of methods that were trained and tested on a data set, by these protocols, in the methods' order."""
    found = []
    for method in methods:
        for each in entries:
            if each.method != method or not each.dataset == each.trained_on == dataset:
                continue
            numbers = {protocol: each.numbers[protocol] for protocol in protocols if protocol in each.numbers}
            if numbers:
                found.append(replace(each, numbers=numbers))
    return found
