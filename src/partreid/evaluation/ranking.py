"""Where the right answers stand: exact ranks in bounded memory, without sorting the gallery.

The distances of one strip, a few hundred queries against the whole gallery, are held at a time. The rank of a right
answer is one more than the number of kept gallery entries before it, found by counting; only the first few entries
are ever sorted.

Ties: entries at equal (float32) distance stand in gallery row order, which is the image table's order.

What is the same whatever the memory given: everything, bit for bit. Distances are always made in blocks of
QUERIES x GALLERY entries that start at multiples of these, the last ones filled up with zeros, so each number comes out
of the same arithmetic. Another machine or number of threads may round a distance differently in its last bit, which can
exchange two entries that are that close; and so can another order of the gallery.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from partreid.evaluation.distances import Distance, Vectors
from partreid.evaluation.protocols import Ids, Relation

QUERIES = 256  # rows of a distance block
GALLERY = 1024  # its columns
MEMORY = 64 * 2**20  # bytes a strip may take
LINES = 2**20  # entries of a strip that are compared together: few enough to stay in the cache

FARTHEST = torch.finfo(torch.float32).max  # stands for "at distance +inf, but in the ranking"


@dataclass(frozen=True)
class Ranking:
    """Where the right answers of Q queries stand. All tensors on the CPU.

    query: int64 (n,), ascending: whose right answer. rank: int64 (n,), its place, from 1, ascending per query.
    kept: int64 (Q,), entries in each query's ranking (the gallery without what is ignored).
    top: int64 (Q, k), gallery rows of the first k entries; -1 past the end of a ranking that is shorter.
    distance: float32 (Q, k), theirs (NaN past the end). match: bool (Q, k).
    """

    query: Tensor
    rank: Tensor
    kept: Tensor
    top: Tensor
    distance: Tensor
    match: Tensor


def rank(
    query: Vectors,
    gallery: Vectors,
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
    blocks = max(1, memory // (4 * QUERIES * max(1, len(gallery))))  # of QUERIES rows
    pieces = []
    for start in range(0, len(query), QUERIES * blocks):
        rows = range(start, min(start + QUERIES * blocks, len(query)), QUERIES)
        pieces.append(_strip(rows, query, gallery, query_ids, gallery_ids, distance, relation, top))
    if not pieces:
        empty = torch.zeros(0, dtype=torch.int64)
        pieces = [Ranking(empty, empty, empty, empty.view(0, 1), empty.view(0, 1).float(), empty.view(0, 1).bool())]
    return Ranking(*(torch.cat([getattr(piece, name) for piece in pieces]) for name in Ranking.__dataclass_fields__))


def _strip(
    starts: range,
    query: Vectors,
    gallery: Vectors,
    query_ids: Ids,
    gallery_ids: Ids,
    distance: Distance,
    relation: Relation,
    top: int,
) -> Ranking:
    """Rank the queries of the blocks that begin at `starts`."""
    first = starts[0]
    count = min(starts[-1] + QUERIES, len(query)) - first
    asking = query_ids.at(slice(first, first + count))
    strip = query.norms.new_empty(count, len(gallery))  # (q, G)
    rows = [torch.zeros(0, dtype=torch.int64, device=strip.device)]  # of the right answers
    columns = [rows[0]]
    kept = torch.full((count,), len(gallery), device=strip.device)
    for left in range(0, len(gallery), GALLERY):
        tile = strip[:, left : left + GALLERY]
        block = gallery.rows(left, GALLERY)
        for upper in starts:
            target = tile[upper - first : upper - first + QUERIES]
            target.copy_(distance(query.rows(upper, QUERIES), block)[: target.shape[0], : target.shape[1]])
        match, ignored = relation(asking.at((slice(None), None)), gallery_ids.at((None, slice(left, left + GALLERY))))
        tile.clamp_(max=FARTHEST).masked_fill_(ignored, torch.inf)
        kept -= ignored.sum(1)
        found = match.nonzero()
        rows.append(found[:, 0])
        columns.append(found[:, 1] + left)
    row, column = torch.cat(rows), torch.cat(columns)
    place = _places(strip, row, column)
    order = torch.argsort(row * (strip.shape[1] + 1) + place)  # by query, then rank; no two are equal
    best, near = _first(strip, top)
    right, _ = relation(asking.at((slice(None), None)), gallery_ids.at(best.clamp(min=0)))
    right &= best >= 0
    near = near.masked_fill(near == FARTHEST, torch.inf).masked_fill(best < 0, torch.nan)
    result = (row[order] + first, place[order], kept, best, near, right)
    return Ranking(*(value.cpu() for value in result))


def _places(strip: Tensor, row: Tensor, column: Tensor) -> Tensor:
    """Rank of the entries (row, column), (n,) each, in a strip of distances (q, G): int64 (n,), from 1."""
    size = max(1, LINES // max(1, strip.shape[1]))  # right answers looked at together
    places = [_before(strip, *pair) for pair in zip(row.split(size), column.split(size), strict=True)]
    return torch.cat(places) + 1


def _before(strip: Tensor, row: Tensor, column: Tensor) -> Tensor:
    """How many entries stand before (row, column), (n,) each: nearer ones, and equally near ones of earlier columns."""
    lines = strip[row]  # (n, G)
    own = strip[row, column][:, None]  # (n, 1)
    # comparing into floats and adding these up is several times faster than counting booleans, and exact up to 2**24
    space = torch.empty_like(lines)
    nearer = torch.lt(lines, own, out=space).sum(1).long()
    tied = torch.eq(lines, own, out=space).sum(1) > 1
    if tied.any():
        earlier = torch.arange(strip.shape[1], device=strip.device) < column[tied, None]
        nearer[tied] += ((lines[tied] == own[tied]) & earlier).sum(1)
    return nearer


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
