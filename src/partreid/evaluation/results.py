"""One protocol evaluated, and its results in the shapes that are written: metrics, CMC rows, ranks table."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from partreid.embeddings import Embeddings, Stored
from partreid.errors import UserError, choose
from partreid.evaluation import metrics, ranking
from partreid.evaluation.distances import DISTANCES, Vectors, vectors
from partreid.evaluation.protocols import Protocol, ids

RANK_MARKS = (1, 5, 10, 20)  # rank1, rank5, ... of the metrics
CMC_LENGTH = 50
IN_MEMORY = 2**30  # bytes of gallery features that are read at once; a larger gallery is streamed from its file


@dataclass(frozen=True)
class Result:
    """One protocol's result. Q queries entered it; `skipped` more had no right answer in the gallery.

    query: int32 (Q,), image_ids. ap, inp: float64 (Q,). first: int64 (Q,), rank of the first right answer.
    right: int64 (Q,), right answers. kept: int64 (Q,), ranked entries. gallery: images in the protocol's gallery.
    top: int32 (Q, k), image_ids of the first entries, -1 past the end; distance: float32, match: bool, alike.
    """

    query: np.ndarray
    ap: np.ndarray
    inp: np.ndarray
    first: np.ndarray
    right: np.ndarray
    kept: np.ndarray
    top: np.ndarray
    distance: np.ndarray
    match: np.ndarray
    skipped: int
    gallery: int


def evaluate(
    embeddings: Embeddings | Stored,
    table: pa.Table,
    protocol: Protocol,
    average_precision: str = "rectangle",
    top: int = 20,
    memory: int = ranking.MEMORY,
) -> Result:
    """Evaluate embeddings of the images of `table` by one protocol.

    average_precision: a name of metrics.AVERAGE_PRECISION. top: entries kept per query. memory: bytes of distances.
    UserError: an image of the protocol has no embedding, or one that is not finite; an unknown name.
    """
    precision = choose(metrics.AVERAGE_PRECISION, average_precision, "average precision")
    distance = choose(DISTANCES, embeddings.header["distance"], "distance")
    asking, answering = (table.filter(pa.array(pick(table))) for pick in (protocol.query, protocol.gallery))
    ranked = ranking.rank(
        _vectors(embeddings, _image_ids(asking)),
        _gallery(embeddings, _image_ids(answering)),
        ids(asking),
        ids(answering),
        distance,
        protocol.relation,
        top,
        memory,
    )
    count = len(asking)
    flat = ranked.query.numpy(), ranked.rank.numpy(), count
    right, _ = metrics.hits(ranked.query.numpy(), count)
    has = right > 0
    gallery_ids = answering["image_id"].to_numpy()
    rows = ranked.top.numpy()[has]
    return Result(
        query=asking["image_id"].to_numpy()[has],
        ap=precision(*flat)[has],
        inp=metrics.inverse_negative_penalty(*flat)[has],
        first=metrics.first_rank(*flat)[has],
        right=right[has],
        kept=ranked.kept.numpy()[has],
        top=np.where(rows >= 0, gallery_ids[rows], np.int32(-1)) if rows.size else rows.astype(np.int32),
        distance=ranked.distance.numpy()[has],
        match=ranked.match.numpy()[has],
        skipped=int(count - has.sum()),
        gallery=len(answering),
    )


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
    bad = np.flatnonzero(~np.isfinite(found.features).all(axis=(1, 2)))
    if len(bad):
        raise UserError(
            f"the embedding of image_id {found.image_id[bad[0]]} and {len(bad) - 1} others holds NaN or infinity; "
            "training has diverged: lower the learning rate and train again"
        )
    return vectors(torch.from_numpy(found.features), torch.from_numpy(found.visibility))


def summary(result: Result) -> dict[str, float | int]:
    """What metrics.json holds of a protocol: fractions rounded to 6 digits, and counts; `queries` went into them."""
    shares = {"mAP": result.ap.mean(), "mINP": result.inp.mean()}
    curve = metrics.cmc(result.first, max(RANK_MARKS))
    shares.update({f"rank{mark}": curve[mark - 1] for mark in RANK_MARKS})
    counts = {"queries": len(result.query), "skipped": result.skipped, "gallery": result.gallery}
    return {**{name: round(float(value), 6) for name, value in shares.items()}, **counts}


def cmc_csv(results: Mapping[str, Result]) -> str:
    """CSV text with the columns protocol, rank (1..50), cmc."""
    lines = ["protocol,rank,cmc"]
    for name, result in results.items():
        curve = metrics.cmc(result.first, CMC_LENGTH)
        lines += [f"{name},{place},{share:.6f}" for place, share in enumerate(curve, 1)]
    return "\n".join(lines) + "\n"


def ranks_table(results: Mapping[str, Result]) -> pa.Table:
    """One row per protocol and query: protocol, query (image_id), ap, inp, first_match_rank, and the first entries:
    gallery (image_ids), distance, match, lists of equal length, shorter where the ranking is.
    """
    parts = [_ranks(name, result) for name, result in results.items()]
    return pa.concat_tables(parts)


def _ranks(name: str, result: Result) -> pa.Table:
    real = result.top >= 0  # (Q, k)
    ends = pa.array(np.concatenate([[0], np.cumsum(real.sum(1))]), pa.int32())
    columns: dict[str, Any] = {
        "protocol": pa.array([name] * len(result.query), pa.string()),
        "query": pa.array(result.query, pa.int32()),
        "ap": pa.array(result.ap, pa.float64()),
        "inp": pa.array(result.inp, pa.float64()),
        "first_match_rank": pa.array(result.first, pa.int32()),
        "gallery": pa.ListArray.from_arrays(ends, pa.array(result.top[real], pa.int32())),
        "distance": pa.ListArray.from_arrays(ends, pa.array(result.distance[real], pa.float32())),
        "match": pa.ListArray.from_arrays(ends, pa.array(result.match[real], pa.bool_())),
    }
    return pa.table(columns)


def text(summaries: Mapping[str, Mapping[str, float | int]]) -> str:
    """The metrics as an aligned table to print: shares in per cent, then counts."""
    rows = [["protocol", *next(iter(summaries.values()), {})]]
    for name, values in summaries.items():
        rows.append([name, *(f"{100 * v:.2f}" if isinstance(v, float) else str(v) for v in values.values())])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))])
        for row in rows
    )
