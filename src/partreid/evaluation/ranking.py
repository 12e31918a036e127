"""Where the right answers stand: exact ranks in bounded memory, without sorting the gallery.

The rank of a right answer is one more than the number of kept gallery entries before it, found by counting; only the
first few entries are ever sorted. The gallery goes by in blocks of GALLERY entries. Distances to blocks that hold a
right answer are kept, for a strip of queries at a time; those to the others (most of a gallery of distractors) are
counted against the right answers and forgotten, so a gallery may be far larger than memory and is read once per strip.

Ties: entries at equal (float32) distance stand in gallery row order, which is the image table's order.

What is the same whatever the memory given: everything, bit for bit. Distances are always made in blocks of
QUERIES x GALLERY entries that start at multiples of these, the last ones filled up with zeros, so each number comes out
of the same arithmetic. Another machine or number of threads may round a distance differently in its last bit, which can
exchange two entries that are that close; and so can another order of the gallery.
"""

from dataclasses import dataclass
from typing import Protocol as Interface

import torch
from torch import Tensor

from partreid.evaluation.distances import Distance, Vectors
from partreid.evaluation.rules import Ids, Relation

QUERIES = 256  # rows of a distance block
GALLERY = 1024  # its columns
MEMORY = 512 * 2**20  # bytes that the distances kept for a strip may take
LINES = 2**20  # entries of a strip that are compared together: few enough to stay in the cache

FARTHEST = torch.finfo(torch.float32).max  # stands for "at distance +inf, but in the ranking"


@dataclass(frozen=True)
class Ranking:
    """Where the right answers of Q queries stand. All tensors on the CPU.

    query: int64 (n,), ascending: whose right answer. rank: int64 (n,), its place, from 1, ascending per query.
    last: int64 (n,), the place of the last entry that is equally near (its own when there is no tie).
    kept: int64 (Q,), entries in each query's ranking (the gallery without what is ignored).
    top: int64 (Q, k), gallery rows of the first k entries; -1 past the end of a ranking that is shorter.
    distance: float32 (Q, k), theirs (NaN past the end). match: bool (Q, k).
    """

    query: Tensor
    rank: Tensor
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

    A strip has at least QUERIES rows even if these take more memory. Time: that of the distances, plus a small
    share of (number of right answers) x (gallery).
    """
    lefts = list(range(0, len(gallery), GALLERY))
    held = lefts
    if 4 * len(query) * len(gallery) > memory:
        held = [left for left in lefts if _has_answer(left, query_ids, gallery_ids, relation)]
    blocks = max(1, memory // (4 * QUERIES * GALLERY * max(1, len(held))))  # of QUERIES rows
    pieces = []
    for start in range(0, len(query), QUERIES * blocks):
        strip = _Strip(range(start, min(start + QUERIES * blocks, len(query)), QUERIES), query, query_ids, top)
        pieces.append(strip.rank(gallery, gallery_ids, held, distance, relation))
    if not pieces:
        none = torch.zeros(0, dtype=torch.int64)
        table = none.view(0, 1)
        pieces = [Ranking(none, none, none, none, table, table.float(), table.bool())]
    return Ranking(*(torch.cat([getattr(piece, name) for piece in pieces]) for name in Ranking.__dataclass_fields__))


def _has_answer(left: int, query_ids: Ids, gallery_ids: Ids, relation: Relation) -> bool:
    """Whether some entry of the gallery's block at `left` is a right answer for some query."""
    block = gallery_ids.at((None, slice(left, left + GALLERY)))
    starts = range(0, len(query_ids), LINES // GALLERY)
    parts = (query_ids.at((slice(start, start + LINES // GALLERY), None)) for start in starts)
    return any(bool(relation(part, block)[0].any()) for part in parts)


class _Strip:
    """The queries of the blocks that begin at `starts`, ranked together."""

    def __init__(self, starts: range, query: Vectors, query_ids: Ids, top: int):
        self.starts, self.query, self.top = starts, query, top
        self.first = starts[0]
        self.count = min(starts[-1] + QUERIES, len(query)) - self.first
        self.asking = query_ids.at(slice(self.first, self.first + self.count)).at((slice(None), None))  # (q, 1)

    def rank(
        self, gallery: Source, gallery_ids: Ids, held: list[int], distance: Distance, relation: Relation
    ) -> Ranking:
        """Rank the gallery. held: beginnings of the blocks whose distances are kept; no other has a right answer."""
        device = self.query.norms.device
        total = len(gallery)
        width = sum(min(GALLERY, total - left) for left in held)
        strip = torch.empty(self.count, width, device=device)  # (q, h)
        kept = torch.full((self.count,), total, device=device)
        rows = [torch.zeros(0, dtype=torch.int64, device=device)]  # of the right answers
        columns = [rows[0]]  # in the strip
        for number, left in enumerate(held):
            tile = strip[:, number * GALLERY : (number + 1) * GALLERY]
            match, ignored = relation(self.asking, gallery_ids.at((None, slice(left, left + GALLERY))))
            self._measure(tile, gallery.rows(left, GALLERY), distance, ignored)
            kept -= ignored.sum(1)
            found = match.nonzero()
            rows.append(found[:, 0])
            columns.append(found[:, 1] + number * GALLERY)
        row, column = torch.cat(rows), torch.cat(columns)
        beginnings = torch.tensor(held, dtype=torch.int64, device=device)
        place, last = _places(strip, row, column)
        own, at = strip[row, column], _unfold(column, beginnings)
        best, near = _first(strip, self.top)
        best = torch.where(best >= 0, _unfold(best, beginnings), best)

        for left in sorted(set(range(0, total, GALLERY)) - set(held)):
            tile = torch.empty(self.count, min(GALLERY, total - left), device=device)
            _, ignored = relation(self.asking, gallery_ids.at((None, slice(left, left + GALLERY))))
            self._measure(tile, gallery.rows(left, GALLERY), distance, ignored)
            kept -= ignored.sum(1)
            nearer, upto = _ahead(tile, row, own)
            place += torch.where(left < at, upto, nearer)  # equally near entries count where they are earlier
            last += upto
            best, near = _merge(best, near, tile, left, self.top)

        order = torch.argsort(row * (total + 1) + place)  # by query, then rank; no two are equal
        right, _ = relation(self.asking, gallery_ids.at(best.clamp(min=0)))
        right &= best >= 0
        near = near.masked_fill(near == FARTHEST, torch.inf).masked_fill(best < 0, torch.nan)
        result = (row[order] + self.first, place[order], last[order], kept, best, near, right)
        return Ranking(*(value.cpu() for value in result))

    def _measure(self, tile: Tensor, block: Vectors, distance: Distance, ignored: Tensor) -> None:
        """Fill a tile (q, <= GALLERY) with the distances to a block; +inf where the entry is ignored."""
        for upper in self.starts:
            target = tile[upper - self.first : upper - self.first + QUERIES]
            target.copy_(distance(self.query.rows(upper, QUERIES), block)[: target.shape[0], : target.shape[1]])
        tile.clamp_(max=FARTHEST).masked_fill_(ignored, torch.inf)


def _unfold(column: Tensor, beginnings: Tensor) -> Tensor:
    """Gallery rows of columns of a strip that holds the blocks with these beginnings, (b,)."""
    if not len(beginnings):
        return column
    return beginnings[column.div(GALLERY, rounding_mode="floor")] + column % GALLERY


def _ahead(tile: Tensor, row: Tensor, own: Tensor) -> tuple[Tensor, Tensor]:
    """How many entries of a tile (q, g) are nearer, and nearer or equal: row, distance own (n,) -> two int64 (n,)."""
    size = max(1, LINES // max(1, tile.shape[1]))
    nearer, upto = [row[:0]], [row[:0]]
    for rows, limits in zip(row.split(size), own.split(size), strict=True):
        lines = tile[rows]  # (n, g)
        nearer.append((lines < limits[:, None]).sum(1))
        upto.append((lines <= limits[:, None]).sum(1))
    return torch.cat(nearer), torch.cat(upto)


def _merge(best: Tensor, near: Tensor, tile: Tensor, left: int, top: int) -> tuple[Tensor, Tensor]:
    """The first entries of a ranking, gallery rows and distances (q, k), after a tile that begins at `left` came by."""
    more, nearer = _first(tile, top)
    best = torch.cat([best, torch.where(more >= 0, more + left, more)], 1)
    near = torch.cat([near, nearer], 1)
    order = torch.where(best >= 0, best, torch.iinfo(best.dtype).max).argsort(1)  # by gallery row, empty places last
    best, near = best.gather(1, order), near.gather(1, order)
    near, order = near.sort(stable=True)
    return best.gather(1, order)[:, :top], near[:, :top]


def _places(strip: Tensor, row: Tensor, column: Tensor) -> tuple[Tensor, Tensor]:
    """Places of the entries (row, column), (n,) each, in a strip (q, G), and of the last that ties with each.

    Two int64 (n,), from 1.
    """
    size = max(1, LINES // max(1, strip.shape[1]))  # right answers looked at together
    before, tied = [row[:0]], [row[:0]]
    for rows, columns in zip(row.split(size), column.split(size), strict=True):
        nearer, equal, earlier = _before(strip, rows, columns)
        before.append(nearer + earlier)
        tied.append(equal - earlier)
    place = torch.cat(before) + 1
    return place, place + torch.cat(tied) - 1


def _before(strip: Tensor, row: Tensor, column: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Around entries (row, column), (n,) each: how many are nearer, equally near (itself too), and of these earlier."""
    lines = strip[row]  # (n, G)
    own = strip[row, column][:, None]  # (n, 1)
    # comparing into floats and adding these up is several times faster than counting booleans, and exact up to 2**24
    space = torch.empty_like(lines)
    nearer = torch.lt(lines, own, out=space).sum(1).long()
    equal = torch.eq(lines, own, out=space).sum(1).long()
    earlier = torch.zeros_like(equal)
    tied = equal > 1
    if tied.any():
        left = torch.arange(strip.shape[1], device=strip.device) < column[tied, None]
        earlier[tied] = ((lines[tied] == own[tied]) & left).sum(1)
    return nearer, equal, earlier


def _first(strip: Tensor, top: int) -> tuple[Tensor, Tensor]:
    """The first `top` columns of each row by (distance, column): int64 (q, k), -1 where ignored; distances (q, k)."""
    size = min(top, strip.shape[1])
    values, columns = strip.topk(min(size + 1, strip.shape[1]), largest=False)
    if values.shape[1] > size:  # topk breaks ties as it likes: sort in full where a tie crosses the border
        crossing = (values[:, size - 1] == values[:, size]) & (values[:, size] < torch.inf)
        values, columns = values[:, :size].clone(), columns[:, :size].clone()
        if crossing.any():
            full, order = strip[crossing].sort(stable=True)
            values[crossing], columns[crossing] = full[:, :size], order[:, :size]
    columns, order = columns.sort()
    values, order = values.gather(1, order).sort(stable=True)
    return columns.gather(1, order).masked_fill(values == torch.inf, -1), values
