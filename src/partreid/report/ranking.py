"""Which queries a report shows, and what came back for them."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

SHOWN = 10  # gallery images in a row


@dataclass(frozen=True)
class Hit:
    """One gallery image of a ranking. rank is 1-based; match says whether it is the same person."""

    rank: int
    image_id: int
    distance: float
    match: bool


@dataclass(frozen=True)
class Ranking:
    """One query's ranking. why: best, random or worst. ap: its average precision. first_match: 1-based rank.

    hits are the first SHOWN gallery images, then the first match where it lies further down but was still kept.
    """

    why: str
    query: int
    ap: float
    first_match: int
    hits: list[Hit]


def choose(
    ranks: pa.Table, protocol: str, pids: np.ndarray, seed: int, best: int = 2, random: int = 3, worst: int = 3
) -> list[Ranking]:
    """The best, some random and the worst queries of a protocol by average precision, in this order.

    ranks: the table of ranks.parquet. pids: int (N,), the person of each image id. No query appears twice. The best are
    of different persons, and so are the worst, so that one hard person does not fill the list; the random ones are of
    persons who are neither. Equal precision: the nearer first image is better, the later first match worse. The same
    seed chooses the same queries.
    """
    rows = ranks.filter(pc.equal(ranks["protocol"], protocol))
    query, ap = rows["query"].to_numpy(), rows["ap"].to_numpy()
    first = rows["first_match_rank"].to_numpy()
    nearest = np.array([distances[0] if distances else np.inf for distances in rows["distance"].to_pylist()])
    orders = {
        "best": (best, np.lexsort((query, nearest, -ap))),
        "worst": (worst, np.lexsort((query, -first, ap))),
        "random": (random, np.random.default_rng(seed).permutation(len(rows))),
    }
    shown: set[int] = set()  # rows
    chosen: dict[str, list[int]] = {}
    for why, (count, order) in orders.items():
        persons = {int(pids[query[row]]) for row in shown} if why == "random" else set()
        chosen[why] = []
        for row in map(int, order):
            if len(chosen[why]) < count and row not in shown and int(pids[query[row]]) not in persons:
                persons.add(int(pids[query[row]]))
                chosen[why].append(row)
        shown |= {*chosen[why]}
    return [_ranking(rows, row, why) for why in ("best", "random", "worst") for row in chosen[why]]


def _ranking(rows: pa.Table, row: int, why: str) -> Ranking:
    values = rows.slice(row, 1).to_pylist()[0]
    columns = (values["gallery"], values["distance"], values["match"])
    hits = [Hit(rank, *columns_) for rank, columns_ in enumerate(zip(*columns, strict=True), start=1)]
    late = [hit for hit in hits[SHOWN:] if hit.rank == values["first_match_rank"]]
    return Ranking(why, values["query"], values["ap"], values["first_match_rank"], hits[:SHOWN] + late)


def queries(ranks: pa.Table, protocol: str) -> np.ndarray:
    """The image ids of a protocol's queries, int32 (Q,)."""
    return ranks.filter(pc.equal(ranks["protocol"], protocol))["query"].to_numpy()
