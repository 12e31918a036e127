"""Compare two tools' labels: how far they agree, and pictures of the images where they differ most."""

import argparse
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from partreid import params
from partreid.drawing import label_pictures, sheets
from partreid.drawing.label_views import VIEWS, View
from partreid.errors import UserError, choose
from partreid.inspection import choice, page, stats
from partreid.labels import LABELS, grouping
from partreid.program import at_least
from partreid.quality import MEASURES
from partreid.quality.base import Measure
from partreid.quality.images import Images, open_images
from partreid.quality.side import Side, open_side
from partreid.storage.cache import OK, STATUS
from partreid.storage.files import write_text

BATCH = 256  # images whose labels are in memory at a time
ONE_SIDED = 4  # at most one in so many pictures shows an image on which only one side found somebody


def main(words: Sequence[str]) -> None:
    """Do what the command line says: print how far the two agree, and draw."""
    given = _parse(words)
    choose(LABELS, given.label, "label")
    grouping.names(given.parts)
    p = params.load()
    images = open_images(given.dataset, p)
    images.need_root()
    view, measure = VIEWS[given.label], MEASURES[given.label]
    options = choose(p.labels, given.label, "label in params.yaml").options
    a, b = (open_side(word, given.label, view.members, images, options) for word in (given.a, given.b))
    rows, filters = choice.candidates(images.splits(), ids=given.ids, wanted_split=given.split)
    compared = choice.draw(rows, given.compare, given.seed)
    status, kept = compare(measure, a, b, compared)
    found = status == OK  # (n, 2)
    both, one = compared[found.all(1)], compared[found.any(1) & ~found.all(1)]
    score = measure.score(kept) if kept else np.zeros(0)

    tables = [_statuses(a.name, b.name, status)]
    if kept:
        tables += [_agreement(measure, kept, score), *_details(measure, kept)]
    print("\n\n".join(table.text() for table in tables))
    shown = most_different(both, score, one, given.count)
    if not len(shown):
        raise UserError("neither side found somebody on any of these images, so there is nothing to draw")

    choice.bearable(shown)
    values = dict(zip(both.tolist(), score.tolist(), strict=True))
    cards = list(_cards(view, images, a, b, shown, values, given.parts))
    out = given.out or Path(f"tmp/inspect/{given.label}-{given.dataset}-diff")
    title = f"{given.label} labels of {images.name}: {given.a} and {given.b}"
    few = f"{len(rows):,} images"
    if len(compared) < len(rows):
        few = f"{len(compared):,} of {few}, drawn at random,"
    within = f" ({'; '.join(filters)})" if filters else ""
    lead = f"{few} were compared{within}; these {len(shown)} differ most."
    legend = view.legend(given.parts)
    tiles = [_tile(view, a, b, card) for card in cards]
    paths = sheets.write(out, f"{title}. {lead}", tiles, legend)
    html = page.render(
        title=title,
        subtitle=f"agreement: {measure.scored}; {given.b} is the reference",
        lead=lead,
        tables=tables,
        bars=_bars(measure, score) if kept else None,
        legend=legend,
        legend_note=view.notes,
        cards=cards,
        sorted_by="agreement",
        facts=[(side.name, _facts(side)) for side in (a, b)],
        command=shlex.join(["python", "stages/inspect.py", "diff", *words]),
    )
    write_text(out / "index.html", html)
    for path in [*paths, out / "index.html"]:
        print(f"wrote {path}")


def _parse(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="inspect.py diff",
        description="Compare two tools' labels: prints how far they agree, and writes PNG contact sheets and one HTML "
        "page of the images where they differ most.",
        epilog="A and B are tools, whose label is made in memory with the options in params.yaml, or paths of label "
        "caches. B is the reference.",
    )
    parser.add_argument("label", help=", ".join(sorted(LABELS)))
    parser.add_argument("dataset")
    parser.add_argument("a", metavar="A")
    parser.add_argument("b", metavar="B")
    parser.add_argument("--ids", help="compare only these images, such as 3,17,100-120")
    parser.add_argument("--split", help="compare only train, val, query, gallery, ...")
    parser.add_argument(
        "--compare", type=at_least(1), default=1024, help="how many images, drawn at random (default 1024)"
    )
    parser.add_argument("--count", type=at_least(1), default=choice.COUNT, help=f"of pictures (default {choice.COUNT})")
    parser.add_argument("--seed", type=at_least(0), default=0, help="of the random draw (default 0)")
    parser.add_argument("--parts", default="8", help=f"pifpaf: parts to colour, {', '.join(map(str, grouping.GROUPS))}")
    parser.add_argument("--out", type=Path, help="folder to write to (default tmp/inspect/LABEL-DATASET-diff)")
    return parser.parse_args(words)


def compare(measure: Measure, a: Side, b: Side, rows: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Status uint8 (n, 2) of both labels of the rows (n,), and what the measure keeps of the m that are ok in both."""
    status, kept = [], []
    for start in range(0, len(rows), BATCH):
        batch = rows[start : start + BATCH]
        arrays = a.arrays(batch), b.arrays(batch)
        status.append(np.stack([one["status"] for one in arrays], 1))
        both = (status[-1] == OK).all(1)
        if both.any():
            kept.append(measure.compare(*({name: array[both] for name, array in one.items()} for one in arrays)))
    names = kept[0] if kept else ()
    return np.concatenate(status), {name: np.concatenate([part[name] for part in kept]) for name in names}


def agreement(measure: Measure, a: Side, b: Side, rows: np.ndarray) -> np.ndarray:
    """How far the two agree on each image of `rows`, int (n,), ascending: float (n,), NaN where nobody can tell.

    That is where one of them, or both, has no label, and where b has nothing that could be compared.
    """
    status, kept = compare(measure, a, b, rows)
    values = np.full(len(rows), np.nan)
    if kept:
        values[(status == OK).all(1)] = measure.score(kept)
    return values


def most_different(both: np.ndarray, score: np.ndarray, one: np.ndarray, count: int) -> np.ndarray:
    """`count` images to look at: of `both` (n,) the lowest scores (n,), lowest first and no NaN; then `one`.

    `one` (m,), where only one side found somebody, gets a place in ONE_SIDED at most unless `both` has too few.
    """
    ranked = both[np.argsort(score, kind="stable")][: np.count_nonzero(~np.isnan(score))]
    places = max(count - len(ranked), count // ONE_SIDED)
    return np.concatenate([ranked[: count - min(places, len(one))], one[:places]])


def _statuses(a: str, b: str, status: np.ndarray) -> stats.Table:
    """How many images have which status (n, 2) in both."""
    rows = []
    for number, name in enumerate(STATUS):
        counts = np.bincount(status[status[:, 0] == number, 1], minlength=len(STATUS))
        rows.append([f"{a} {name}", *(f"{count:,}" for count in counts)])
    return stats.Table("Images", ["", *(f"{b} {name}" for name in STATUS)], rows)


def _agreement(measure: Measure, kept: dict[str, np.ndarray], score: np.ndarray) -> stats.Table:
    known = score[~np.isnan(score)]
    rows = [[measure.titles[name], f"{value:.3f}"] for name, value in measure.summary(kept).items() if value == value]
    if len(known):
        rows += [
            [f"{measure.scored}: {name}", f"{np.quantile(known, share):.3f}"]
            for name, share in (("median", 0.5), ("5 % of images are below", 0.05))
        ]
    return stats.Table("Agreement", [f"{len(score):,} images that both found", ""], rows)


def _details(measure: Measure, kept: dict[str, np.ndarray]) -> list[stats.Table]:
    found = measure.details(kept)
    names = list(dict.fromkeys(name for values in found.values() for name in values))
    columns = []
    for name in names:
        column = [values.get(name, float("nan")) for values in found.values()]
        counts = all(value.is_integer() for value in column)
        columns.append(["–" if v != v else f"{v:,.0f}" if counts else f"{v:.3f}" for v in column])
    rows = [[name.replace("_", " "), *cells] for name, *cells in zip(found, *columns, strict=True)]
    return [stats.Table("In detail", ["", *(measure.titles.get(name, name) for name in names)], rows)] if rows else []


def _facts(side: Side) -> stats.Facts:
    made = side.cache.header["kind"] != side.header["kind"]  # from a tool's output, whose header has other parameters
    return stats.facts(side.cache) + (stats.spread("label", side.header["parameters"]) if made else [])


def _bars(measure: Measure, score: np.ndarray) -> stats.Bars:
    return stats.bars(measure.scored[0].upper() + measure.scored[1:], score[~np.isnan(score)])


def _cards(
    view: View,
    images: Images,
    a: Side,
    b: Side,
    rows: np.ndarray,
    score: dict[int, float],
    parts: str,
) -> Iterator[page.Card]:
    splits, ascending = images.splits(), np.sort(rows)
    labels = [(side, side.arrays(ascending)) for side in (a, b)]
    for row in rows.tolist():
        image, place = images.read(row), int(np.searchsorted(ascending, row))
        strips, said = [], []
        for side, arrays in labels:
            values = {name: array[place] for name, array in arrays.items()}
            drawn = label_pictures.label(view, image, values, values["status"], header=side.header, parts=parts)
            strips.append(page.Strip(side.name, {"image": label_pictures.original(image), **drawn}))
            said += [f"{side.name}: {word}" for word in view.says(values)]
        found = [arrays["status"][place] == OK for _, arrays in labels]
        status = "both ok" if all(found) else f"only {(a if found[0] else b).name}"
        value = score.get(row, float("nan"))
        note = ", ".join([*([f"agreement {value:.2f}"] if value == value else []), *said])
        yield page.Card(row, status, str(splits[row]), images.path(row), value, note, strips)


def _tile(view: View, a: Side, b: Side, card: page.Card) -> np.ndarray:
    pictures = {"image": card.strips[0].pictures["image"]}
    for letter, side, strip in zip("AB", (a, b), card.strips, strict=True):
        drawn = {name: picture for name, picture in strip.pictures.items() if name != "image"}
        pictures[f"{letter}: {side.name}"] = drawn.get(view.main, next(iter(drawn.values())))
    title = " · ".join(filter(None, (str(card.image_id), card.status, card.note)))
    return sheets.tile(title, pictures)
