"""BPBreID's own picture: what each embedding finds by itself and what all find together, as in the paper's figure 3.

Figure 5's attention maps in green and red frames are what the report's section of attention maps shows of any method.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from partreid.drawing.label_marks import heat
from partreid.evaluation.protocols import PROTOCOLS
from partreid.evaluation.results import Result, evaluate
from partreid.report import attention, gather
from partreid.report.attention import Looks
from partreid.report.context import Context, Figure
from partreid.report.ranking import SHOWN, Hit
from partreid.report.sheets import Cell, Row, Thumb, sheet
from partreid.storage.embeddings import Embeddings, Stored
from partreid.storage.places import Run

QUERIES = 2
ALL = "all together"


class OfPart(Stored):
    """One of the embeddings in a file, as if the file held nothing else."""

    def __init__(self, path: Path, part: int):
        super().__init__(path)
        self.part = part

    def of(self, image_ids: np.ndarray) -> Embeddings:
        found, own = super().of(image_ids), slice(self.part, self.part + 1)
        return Embeddings(image_ids, found.features[:, own], found.visibility[:, own], self.header)

    def size(self, images: int) -> int:
        return super().size(images) // len(self.header["parts"])


@dataclass(frozen=True)
class Answer:
    """What one embedding, or ALL, finds for one query. hits: the nearest; none where the query does not show it."""

    name: str
    hits: Sequence[Hit]


def figures(context: Context) -> list[Figure]:
    """Figure 3, where the embeddings are on this disk and a query of the data set's first protocol was chosen."""
    trained = context.trained
    file = Run(trained.header["model"], trained.header["dataset"], context.dataset).embeddings
    protocol = next(iter(PROTOCOLS[context.dataset].values()))
    asking = protocol.query(context.table)
    queries = [int(image_id) for image_id in context.image_ids if asking[image_id]]
    if not file.is_file() or not queries:
        return []
    shown = np.array(queries)
    looks = gather.looks(trained, context.album, context.labels_at_test(shown), shown)
    looks = looks.take(attention.rows(looks.visible, 1, QUERIES - 1))
    queries = looks.image_id.tolist()
    chosen = np.isin(np.arange(len(context.table)), queries)
    protocol = replace(protocol, query=lambda _: chosen, draws=min(protocol.draws, 1))
    stored = Stored(file)
    sources: dict[str, Stored] = {ALL: stored}
    if len(stored.header["parts"]) > 1:
        sources |= {name: OfPart(file, part) for part, name in enumerate(stored.header["parts"])}
    found = {name: evaluate(source, context.table, protocol, unmatched="count") for name, source in sources.items()}
    return [
        Figure(
            "What each part finds",
            "Queries and the nearest gallery images by all embeddings together, then by each alone, with their "
            "distances: right persons in green frames, wrong ones in red. Before them, where the network sees the part "
            "in the query, green if it counts as visible. What is not, here or in the gallery, is not compared. "
            "After figure 3 of the paper.",
            picture(looks, [answers(found, query) for query in queries], context.album.thumb),
        )
    ]


def answers(found: Mapping[str, Result], query: int) -> list[Answer]:
    """A query's, by embedding."""
    return [Answer(name, nearest(result, query)) for name, result in found.items()]


def nearest(result: Result, query: int) -> list[Hit]:
    """The first entries of a query's ranking, as far as they can be compared with it."""
    row = int(np.flatnonzero(result.query == query)[0])
    columns = (result.top[row].tolist(), result.distance[row].tolist(), result.match[row].tolist())
    entries = enumerate(zip(*columns, strict=True), start=1)
    hits = [Hit(rank, *entry) for rank, entry in entries if rank <= SHOWN]
    return [hit for hit in hits if hit.image_id >= 0 and np.isfinite(hit.distance)]


def picture(looks: Looks, found: Sequence[Sequence[Answer]], thumb: Thumb) -> np.ndarray:
    """For each query of `looks`: the answers of all together, then of each visible part; then what is not visible."""
    rows = []
    for place, (query, of_query) in enumerate(zip(looks.image_id.tolist(), found, strict=True)):
        image = thumb(query)
        maps = dict(zip(looks.names, looks.maps[place], strict=True))
        visible = dict(zip(looks.names, looks.visible[place].tolist(), strict=True))
        hidden = []
        for answer in of_query:
            name = answer.name.replace("_", " ")
            if not visible.get(answer.name, True):
                hidden.append(Cell(heat(image, maps[answer.name]), False, name))
                continue
            seen = Cell(image, None, "query") if answer.name == ALL else Cell(heat(image, maps[answer.name]), True)
            hits = [
                Cell(thumb(hit.image_id), hit.match, f"{hit.distance:.2f}", gap=hit.rank == 1) for hit in answer.hits
            ]
            rows.append(Row(name.capitalize(), (), [seen, *hits]))
        if hidden:
            rows.append(Row("Not visible", (), hidden))
    return sheet(rows)
