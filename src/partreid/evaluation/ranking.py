"""Where the right answers stand: exact ranks in bounded memory, without sorting which entry is which.

The rank of a right answer is one more than the number of kept gallery entries nearer than it. A row's distances are
sorted as bare numbers, for which NumPy has vector instructions, and the right answers' are looked up among them; only
of the first few entries is it ever asked which they are. The gallery goes by in blocks of GALLERY entries. Distances to
blocks that hold a right answer are kept, for a strip of queries at a time; those to the others (most of a gallery of
distractors) are counted against the right answers and forgotten, so a gallery may be far larger than memory and is read
once per strip.

Ties: of entries at equal (float32) distance no order is made up. A right answer comes with the number of entries nearer
than it and of those up to the end of its tie; the metrics take the expected value over all orders of the tied. Where a
list has to be written down, `top`, the tied stand in a fixed random order (`shuffled`), never in that of the rows,
which often follows the persons.

What is the same whatever the memory given: everything, bit for bit. Distances are always made in blocks of
QUERIES x GALLERY entries that start at multiples of these, the last ones filled up with zeros, so each number comes out
of the same arithmetic. Another machine or number of threads may round a distance differently in its last bit, which can
exchange two entries that are that close; and so can another order of the gallery.
"""

from dataclasses import dataclass
from typing import Protocol as Interface

import numpy as np
import torch
from torch import Tensor

from partreid.evaluation.distances import Distance, Vectors
from partreid.evaluation.rules import Ids, Relation

QUERIES = 256  # rows of a distance block
GALLERY = 1024  # its columns
MEMORY = 512 * 2**20  # bytes that the distances kept for a strip may take
LINES = 2**20  # entries of a strip that are sorted together: few enough to stay in the cache

FARTHEST = torch.finfo(torch.float32).max  # stands for "at distance +inf, but in the ranking"


@dataclass(frozen=True)
class Ranking:
    """Where the right answers of Q queries stand. All tensors on the CPU.

    query: int64 (n,), ascending: whose right answer. nearer: int64 (n,), entries nearer than it, ascending per query.
    last: int64 (n,), entries nearer or equally near, itself among them: nearer + 1 when there is no tie.
    kept: int64 (Q,), entries in each query's ranking (the gallery without what is ignored).
    top: int64 (Q, k), gallery rows of the first k entries; -1 past the end of a ranking that is shorter.
    distance: float32 (Q, k), theirs (NaN past the end). match: bool (Q, k).
    """

    query: Tensor
    nearer: Tensor
    last: Tensor
    kept: Tensor
    top: Tensor
    distance: Tensor
    match: Tensor


class Source(Interface):
    """Embedded images in blocks: distances.Vectors, or a file that is read block by block (embeddings.Stored)."""

    def __len__(self) -> int:
        """How many images."""

    def rows(self, start: int, count: int) -> Vectors:
        """Images start .. start + count - 1, past the end zeros."""


def rank(
    query: Vectors,
    gallery: Source,
    query_ids: Ids,
    gallery_ids: Ids,
    distance: Distance,
    relation: Relation,
    top: int = 20,
    memory: int = MEMORY,
) -> Ranking:
    """Rank the gallery for every query. `top`: how many first entries to keep. `memory`: bytes of distances to hold.

    A strip has at least QUERIES rows even if these take more memory. Time: that of the distances, plus that of sorting
    their bare values, several times less.
    """
    order = torch.from_numpy(shuffled(len(gallery))).to(query.norms.device)
    lefts = list(range(0, len(gallery), GALLERY))
    held = lefts
    if 4 * len(query) * len(gallery) > memory:
        held = [left for left in lefts if _has_answer(left, query_ids, gallery_ids, relation)]
    blocks = max(1, memory // (4 * QUERIES * GALLERY * max(1, len(held))))  # of QUERIES rows
    pieces = []
    for start in range(0, len(query), QUERIES * blocks):
        strip = _Strip(range(start, min(start + QUERIES * blocks, len(query)), QUERIES), query, query_ids, order, top)
        pieces.append(strip.rank(gallery, gallery_ids, held, distance, relation))
    if not pieces:
        none = torch.zeros(0, dtype=torch.int64)
        table = none.view(0, 1)
        pieces = [Ranking(none, none, none, none, table, table.float(), table.bool())]
    return Ranking(*(torch.cat([getattr(piece, name) for piece in pieces]) for name in Ranking.__dataclass_fields__))


def shuffled(count: int) -> np.ndarray:
    """Place of each of `count` gallery rows in the order in which tied ones are listed, int64 (count,)."""
    return np.random.default_rng(0).permutation(count)


def _has_answer(left: int, query_ids: Ids, gallery_ids: Ids, relation: Relation) -> bool:
    """Whether some entry of the gallery's block at `left` is a right answer for some query."""
    block = gallery_ids.at(slice(left, left + GALLERY))
    starts = range(0, len(query_ids), LINES // GALLERY)
    parts = (query_ids.at(slice(start, start + LINES // GALLERY)) for start in starts)
    return any(bool(relation.among(part, block)[2].any()) for part in parts)


class _Strip:
    """The queries of the blocks that begin at `starts`, ranked together."""

    def __init__(self, starts: range, query: Vectors, query_ids: Ids, order: Tensor, top: int):
        self.starts, self.query, self.order, self.top = starts, query, order, top
        self.first = starts[0]
        self.count = min(starts[-1] + QUERIES, len(query)) - self.first
        self.asking = query_ids.at(slice(self.first, self.first + self.count))

    def rank(
        self, gallery: Source, gallery_ids: Ids, held: list[int], distance: Distance, relation: Relation
    ) -> Ranking:
        """Rank the gallery. held: beginnings of the blocks whose distances are kept; no other has a right answer."""
        device = self.query.norms.device
        total = len(gallery)
        width = sum(min(GALLERY, total - left) for left in held)
        strip = torch.empty(self.count, width, device=device)  # (q, h)
        rows = [torch.zeros(0, dtype=torch.int64, device=device)]  # of the right answers
        columns = [rows[0]]  # in the strip
        for number, left in enumerate(held):
            tile = strip[:, number * GALLERY : (number + 1) * GALLERY]
            related = relation.among(self.asking, gallery_ids.at(slice(left, left + GALLERY)))
            self._measure(tile, gallery.rows(left, GALLERY), distance, related)
            rows.append(related[0][related[2]])
            columns.append(related[1][related[2]] + number * GALLERY)
        row, column = torch.cat(rows), torch.cat(columns)
        by_row = row.argsort(stable=True)
        row, column = row[by_row], column[by_row]
        beginnings = torch.tensor(held, dtype=torch.int64, device=device)
        own = strip[row, column]
        everyone = _unfold(torch.arange(width, device=device), beginnings)
        best, near = _first(strip, self.top, self.order[everyone])
        best = torch.where(best >= 0, _unfold(best, beginnings), best)
        nearer, upto, kept = _ahead(strip, row, own)

        for left in sorted(set(range(0, total, GALLERY)) - set(held)):
            tile = torch.empty(self.count, min(GALLERY, total - left), device=device)
            related = relation.among(self.asking, gallery_ids.at(slice(left, left + GALLERY)))
            self._measure(tile, gallery.rows(left, GALLERY), distance, related)
            best, near = self._merge(best, near, tile, left)
            more = _ahead(tile, row, own)
            nearer, upto, kept = nearer + more[0], upto + more[1], kept + more[2]

        order = torch.argsort(row * (total + 1) + nearer)  # by query, then rank
        right, _ = relation(self.asking.at((slice(None), None)), gallery_ids.at(best.clamp(min=0)))
        right &= best >= 0
        near = near.masked_fill(near == FARTHEST, torch.inf).masked_fill(best < 0, torch.nan)
        result = (row[order] + self.first, nearer[order], upto[order], kept, best, near, right)
        return Ranking(*(value.cpu() for value in result))

    def _merge(self, best: Tensor, near: Tensor, tile: Tensor, left: int) -> tuple[Tensor, Tensor]:
        """The first entries, gallery rows and distances (q, k), after a tile that begins at `left` came by."""
        more, nearer = _first(tile, self.top, self.order[left : left + tile.shape[1]])
        best = torch.cat([best, torch.where(more >= 0, more + left, more)], 1)
        near = torch.cat([near, nearer], 1)
        place = torch.where(best >= 0, self.order[best.clamp(min=0)], torch.iinfo(best.dtype).max)  # empty places last
        best, near = _sorted_by(place, best, near)
        near, order = near.sort(stable=True)
        return best.gather(1, order)[:, : self.top], near[:, : self.top]

    def _measure(self, tile: Tensor, block: Vectors, distance: Distance, related: tuple[Tensor, ...]) -> None:
        """Fill a tile (q, <= GALLERY) with the distances to a block; +inf where the entry is ignored.

        related: of Relation.among.
        """
        row, column, _, ignored = related
        for upper in self.starts:
            target = tile[upper - self.first : upper - self.first + QUERIES]
            values = distance(self.query.rows(upper, QUERIES), block).clamp_(max=FARTHEST)
            target.copy_(values[: target.shape[0], : target.shape[1]])
        tile[row[ignored], column[ignored]] = torch.inf


def _unfold(column: Tensor, beginnings: Tensor) -> Tensor:
    """Gallery rows of columns of a strip that holds the blocks with these beginnings, (b,)."""
    if not len(beginnings):
        return column
    return beginnings[column.div(GALLERY, rounding_mode="floor")] + column % GALLERY


def _ahead(tile: Tensor, row: Tensor, own: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """How many entries of a tile (q, g) are nearer, and nearer or equal: row, distance own (n,) -> two int64 (n,).

    row: ascending. The third, int64 (q,): how many entries of each row there are at all, without the ignored ones.
    The tile's rows are sorted on the way.
    """
    per_row = torch.bincount(row, minlength=len(tile))
    most = int(per_row.max()) if len(row) else 0
    size = max(1, LINES // max(1, tile.shape[1], most))  # rows looked at together
    slot = torch.arange(len(row), device=row.device) - (per_row.cumsum(0) - per_row)[row]
    answers = per_row.split(size)
    counts = [int(some.sum()) for some in answers]
    nearer, upto, kept = [row[:0]], [row[:0]], [row[:0]]
    for number, (rows, slots, limits) in enumerate(
        zip(row.split(counts), slot.split(counts), own.split(counts), strict=True)
    ):
        start = number * size
        asked = own.new_zeros(len(answers[number]), most)  # (rows, most): distances of the right answers, then zeros
        at = rows - start, slots
        asked[at] = limits
        lines = _ascending(tile[start : start + size])
        nearer.append(torch.searchsorted(lines, asked)[at])
        upto.append(torch.searchsorted(lines, asked, right=True)[at])
        kept.append(torch.searchsorted(lines, own.new_full((len(lines), 1), torch.inf))[:, 0])
    return torch.cat(nearer), torch.cat(upto), torch.cat(kept)


def _ascending(lines: Tensor) -> Tensor:
    """Each line sorted, on the CPU in place: NumPy sorts bare numbers many times faster than torch sorts pairs."""
    if lines.device.type == "cpu":
        lines.numpy().sort(axis=1)
        return lines
    return lines.sort(1).values


def _first(strip: Tensor, top: int, place: Tensor) -> tuple[Tensor, Tensor]:
    """The first `top` columns of each row: int64 (q, k), -1 where ignored; and distances (q, k).

    place: int64 (g,), of each column among those at equal distance.
    """
    size = min(top, strip.shape[1])
    values, columns = strip.topk(min(size + 1, strip.shape[1]), largest=False)
    if values.shape[1] > size:  # topk breaks ties as it likes: sort in full where a tie crosses the border
        crossing = (values[:, size - 1] == values[:, size]) & (values[:, size] < torch.inf)
        values, columns = values[:, :size].clone(), columns[:, :size].clone()
        if crossing.any():
            listed = place.argsort()
            full, order = strip[crossing][:, listed].sort(stable=True)
            values[crossing], columns[crossing] = full[:, :size], listed[order[:, :size]]
    columns, values = _sorted_by(place[columns], columns, values)
    values, order = values.sort(stable=True)
    return columns.gather(1, order).masked_fill(values == torch.inf, -1), values


def _sorted_by(key: Tensor, *values: Tensor) -> list[Tensor]:
    """Each of `values` (q, k) in the ascending order of the keys (q, k), row by row."""
    order = key.argsort(1)
    return [value.gather(1, order) for value in values]
