"""One protocol evaluated, and its results in the shapes that are written: metrics, CMC rows, ranks table."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from partreid.errors import UserError, choose
from partreid.evaluation import metrics, ranking
from partreid.evaluation.distances import DISTANCES, Vectors, tensors
from partreid.evaluation.picks import Pick
from partreid.evaluation.pooling import Pool, groups, pool
from partreid.evaluation.protocols import Protocol
from partreid.evaluation.rerank import reranked
from partreid.evaluation.rules import ids
from partreid.storage.embeddings import Embeddings, Stored

RANK_MARKS = (1, 5, 10, 20)  # rank1, rank5, ... of the metrics
CMC_LENGTH = 50
IN_MEMORY = 2**30  # bytes of gallery features that are read at once; a larger gallery is streamed from its file


@dataclass(frozen=True)
class Result:
    """One protocol's result. Q queries entered it, those of all draws; `skipped` more had no right answer.

    query: int32 (Q,), image_ids. draw: int32 (Q,), which of the protocol's random galleries, 0 where there is one.
    ap, inp: float64 (Q,). found: float64 (Q, CMC_LENGTH), probability of a right answer among the first k: 0 or 1
    unless a tie decides. first: int64 (Q,), rank of the first right answer in `top`; where it stands behind these, its
    expected rank among the tied, rounded up; 0 = none.
    right: int64 (Q,), right answers. kept: int64 (Q,), ranked entries.
    top: int32 (Q, k), image_ids of the first entries, -1 past the end; distance: float32, match: bool, alike.
    nothing: bool (Q,), whether the query could be compared with nothing: all of its distances are infinite.
    skipped: int. gallery: entries of the protocol's gallery. draws: how many galleries were drawn.
    """

    query: np.ndarray
    draw: np.ndarray
    ap: np.ndarray
    inp: np.ndarray
    found: np.ndarray
    first: np.ndarray
    right: np.ndarray
    kept: np.ndarray
    top: np.ndarray
    distance: np.ndarray
    match: np.ndarray
    nothing: np.ndarray
    skipped: int
    gallery: int
    draws: int


def evaluate(
    embeddings: Embeddings | Stored,
    table: pa.Table,
    protocol: Protocol,
    average_precision: str = "rectangle",
    unmatched: str = "skip",
    top: int = 20,
    rerank: Mapping[str, Any] | None = None,
) -> Result:
    """Evaluate embeddings of the images of `table` by one protocol.

    average_precision: a name of metrics.AVERAGE_PRECISION. unmatched: skip queries without a right answer, or count
    them as never right. top: entries kept per query. rerank: how to re-rank, keyword arguments of
    rerank.reranked; None for the distances as they are.
    UserError: an image of the protocol has no embedding, or one that is not finite; an unknown name.
    """
    precision = choose(metrics.AVERAGE_PRECISION, average_precision, "average precision")
    count_all = choose({name: name == "count" for name in metrics.UNMATCHED}, unmatched, "treatment")
    distance = choose(DISTANCES, embeddings.header["distance"], "distance")
    asked, asking = _side(embeddings, table, protocol.query, protocol.query_pool)
    query = _vectors(asked, _image_ids(asking))
    everyone, answering = _side(embeddings, table, protocol.gallery, protocol.gallery_pool)
    drawn = [_one_each(answering, seed) for seed in range(protocol.draws)] or [answering]
    results = []
    for number, entries in enumerate(drawn):
        asks, answers, measure = query, _gallery(everyone, _image_ids(entries)), distance
        if rerank is not None:
            asks, answers, measure = reranked(query, answers, embeddings.header["distance"], **rerank)
        ranked = ranking.rank(asks, answers, ids(asking), ids(entries), measure, protocol.relation, top)
        results.append(of_ranking(ranked, asking, entries, precision, count_all, number))
    joined = {
        name: np.concatenate([getattr(result, name) for result in results])
        for name in ("query", "draw", "ap", "inp", "found", "first", "right", "kept", "nothing")
    }
    first = results[0]
    return Result(
        **joined,
        top=first.top,
        distance=first.distance,
        match=first.match,
        skipped=first.skipped,
        gallery=len(drawn[0]),
        draws=len(drawn),
    )


def of_ranking(
    ranked: ranking.Ranking,
    asking: pa.Table,
    answering: pa.Table,
    precision: metrics.Precision,
    count_all: bool = False,
    draw: int = 0,
) -> Result:
    """The result of one gallery. asking, answering: their rows. count_all: also who has no right answer."""
    count = len(asking)
    flat = ranked.query.numpy(), ranked.nearer.numpy(), ranked.last.numpy(), count
    right = metrics.right_answers(flat[0], count)
    has = right > 0
    used = np.ones(count, bool) if count_all else has
    gallery_ids = answering["image_id"].to_numpy()
    rows, match, distance = (values.numpy()[used] for values in (ranked.top, ranked.match, ranked.distance))
    return Result(
        query=asking["image_id"].to_numpy()[used],
        draw=np.full(used.sum(), draw, np.int32),
        ap=np.where(has, precision(*flat), 0)[used],
        inp=np.where(has, metrics.inverse_negative_penalty(*flat), 0)[used],
        found=metrics.found_within(*flat, CMC_LENGTH)[used],
        first=_first(match, metrics.first_rank(*flat)[used]),
        right=right[used],
        kept=ranked.kept.numpy()[used],
        top=np.where(rows >= 0, gallery_ids[rows], np.int32(-1)) if rows.size else rows.astype(np.int32),
        distance=distance,
        match=match,
        nothing=distance[:, 0] == np.inf if distance.size else np.zeros(len(distance), bool),
        skipped=int(count - used.sum()),
        gallery=len(answering),
        draws=1,
    )


def _first(match: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Rank of the first right answer, int64 (Q,): in the list (Q, k) if it is there, else as expected, 0 = none."""
    if not match.size:
        return np.ceil(expected).astype(np.int64)
    behind = np.where(expected > 0, np.maximum(np.ceil(expected), match.shape[1] + 1), 0)
    return np.where(match.any(1), match.argmax(1) + 1, behind).astype(np.int64)


def _side(
    embeddings: Embeddings | Stored, table: pa.Table, pick: Pick, pooling: Pool | None
) -> tuple[Embeddings | Stored, pa.Table]:
    """Embeddings and rows of those who ask or answer; pooled ones carry the image_id of the first of their images."""
    chosen = table.filter(pa.array(pick(table)))
    if pooling is None or not len(chosen):
        return embeddings, chosen
    group, first = groups(chosen, pooling.by)
    return pool(embeddings, _image_ids(chosen), group, pooling.how, pooling.unit), chosen.take(first)


def _one_each(table: pa.Table, seed: int) -> pa.Table:
    """One random row per person and camera, in table order."""
    order = np.random.default_rng(seed).permutation(len(table))
    group, _ = groups(table, ("pid", "camid"))
    return table.take(np.sort(order[np.unique(group[order], return_index=True)[1]]))


def _image_ids(table: pa.Table) -> np.ndarray:
    return table["image_id"].to_numpy().astype(np.int64)


def _gallery(embeddings: Embeddings | Stored, image_ids: np.ndarray) -> ranking.Source:
    if isinstance(embeddings, Stored) and embeddings.size(len(image_ids)) > IN_MEMORY:
        return Streamed(embeddings, image_ids)
    return _vectors(embeddings, image_ids)


class Streamed:
    """A gallery that stays in its file and is read block by block: a ranking.Source."""

    def __init__(self, stored: Stored, image_ids: np.ndarray):
        self.stored, self.image_ids = stored, image_ids

    def __len__(self) -> int:
        return len(self.image_ids)

    def rows(self, start: int, count: int) -> Vectors:
        """See ranking.Source."""
        return _vectors(self.stored, self.image_ids[start : start + count]).rows(0, count)


def _vectors(embeddings: Embeddings | Stored, image_ids: np.ndarray) -> Vectors:
    found = embeddings.of(image_ids)
    made = tensors(found)
    largest = 4 * made.norms.sum(1)  # (N,): the squared distance to the vector's opposite; to no shorter one more
    bad = np.flatnonzero(~(largest.isfinite() & made.visibility.isfinite().all(1)).numpy())
    if len(bad):
        raise UserError(
            f"the embedding of image_id {found.image_id[bad[0]]} and {len(bad) - 1} others holds NaN or infinity, or "
            "numbers too large to be squared; training has diverged: lower the learning rate and train again"
        )
    return made


def summary(result: Result) -> dict[str, float | int]:
    """What metrics.json holds of a protocol: fractions rounded to 6 digits, and counts; `queries` went into them.

    Where galleries are drawn at random, the fractions are means over the draws, and the counts those of one draw.
    `incomparable`, only where there are some: queries at infinite distance from all of the gallery.
    """
    shares = {"mAP": result.ap.mean(), "mINP": result.inp.mean()}
    curve = result.found.mean(0)
    shares.update({f"rank{mark}": curve[mark - 1] for mark in RANK_MARKS})
    queries = int((result.draw == 0).sum())
    counts = {"queries": queries, "skipped": result.skipped, "gallery": result.gallery}
    if nothing := int((result.nothing & (result.draw == 0)).sum()):
        counts["incomparable"] = nothing
    if result.draws > 1:
        counts["draws"] = result.draws
    return {**{name: round(float(value), 6) for name, value in shares.items()}, **counts}


def cmc_csv(results: Mapping[str, Result]) -> str:
    """CSV text with the columns protocol, rank (1..50), cmc."""
    lines = ["protocol,rank,cmc"]
    for name, result in results.items():
        curve = result.found.mean(0)
        lines += [f"{name},{place},{share:.6f}" for place, share in enumerate(curve, 1)]
    return "\n".join(lines) + "\n"


def ranks_table(results: Mapping[str, Result]) -> pa.Table:
    """One row per protocol and query, of the first draw where galleries are drawn.

    Columns: protocol, query (image_id), ap, inp, first_match_rank (Result.first), and the first entries: gallery
    (image_ids), distance, match, lists of equal length, shorter where the ranking is.
    """
    parts = [_ranks(name, result) for name, result in results.items()]
    return pa.concat_tables(parts)


def _ranks(name: str, result: Result) -> pa.Table:
    real = result.top >= 0  # (q, k)
    one = result.draw == 0
    ends = pa.array(np.concatenate([[0], np.cumsum(real.sum(1))]), pa.int32())
    columns: dict[str, Any] = {
        "protocol": pa.array([name] * int(one.sum()), pa.string()),
        "query": pa.array(result.query[one], pa.int32()),
        "ap": pa.array(result.ap[one], pa.float64()),
        "inp": pa.array(result.inp[one], pa.float64()),
        "first_match_rank": pa.array(result.first[one], pa.int32()),
        "gallery": pa.ListArray.from_arrays(ends, pa.array(result.top[real], pa.int32())),
        "distance": pa.ListArray.from_arrays(ends, pa.array(result.distance[real], pa.float32())),
        "match": pa.ListArray.from_arrays(ends, pa.array(result.match[real], pa.bool_())),
    }
    return pa.table(columns)


def text(summaries: Mapping[str, Mapping[str, float | int]]) -> str:
    """The metrics as an aligned table to print: shares in per cent, then counts."""
    columns = list(dict.fromkeys(key for values in summaries.values() for key in values))
    rows = [["protocol", *columns]]
    for name, values in summaries.items():
        cells = [values.get(column, "") for column in columns]
        rows.append([name, *(f"{100 * cell:.2f}" if isinstance(cell, float) else str(cell) for cell in cells)])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))])
        for row in rows
    )
