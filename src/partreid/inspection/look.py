"""Look at a label cache: PNG contact sheets and one HTML page, or its numbers alone."""

import argparse
import shlex
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from partreid import params
from partreid.drawing import label_pictures, sheets
from partreid.drawing.label_views import VIEWS, View
from partreid.errors import UserError, choose
from partreid.inspection import choice, page, sources, stats
from partreid.labels import LABELS, coverage, grouping
from partreid.program import at_least
from partreid.quality.images import Images, open_images
from partreid.storage.cache import STATUS, Cache
from partreid.storage.files import write_text

BATCH = 256  # images whose labels are in memory at a time


def main(words: Sequence[str]) -> None:
    """Do what the command line says: print coverage and, unless only that is wanted, draw."""
    given = _parse(words)
    choose(dict.fromkeys(sources.EVERY), given.label, "label")
    grouping.names(given.parts)  # an unknown one stops here, before any work
    images = open_images(given.dataset, params.load())
    cache = Cache(sources.file(given.label, given.dataset), f"label/{given.label}", images.file)
    score = cache.rows("score", np.arange(len(images)))
    print(coverage.text(images.splits(), cache.status, score))
    if given.stats:
        now = time.time()
        print(stats.text(stats.facts(cache, now)))
        if given.label in LABELS:
            print(f"Tool output\n{stats.text(stats.tool_facts(cache.header, images, now))}", end="")
        return
    images.need_root()
    rows, lead = _choose(given, images.splits(), cache.status, score)
    choice.bearable(rows)
    view = VIEWS[given.label]
    cards = list(_cards(view, images, cache, rows, score, given.parts))
    out = given.out or Path(f"tmp/inspect/{given.label}-{given.dataset}")
    head, legend = cache.header, view.legend(given.parts)
    title, made_by = f"{given.label} labels of {images.name}", f"from {head['tool']} {head['tool_version']}"
    facts = [("Label cache", stats.facts(cache))]
    if given.label in LABELS:
        facts.append(("Tool output", stats.tool_facts(head, images)))
    paths = sheets.write(out, f"{title}, {made_by}. {lead}", [_tile(card) for card in cards], legend, view.notes)
    html = page.render(
        title=title,
        subtitle=f"{made_by}, {head['ok']:,} of {head['images']:,} images ok",
        lead=lead,
        tables=[stats.coverage_table(images.splits(), cache.status)],
        bars=stats.score_bars(cache.status, score),
        legend=legend,
        legend_note=view.notes,
        cards=cards,
        sorted_by="score",
        facts=facts,
        command=shlex.join(["python", "stages/inspect.py", *words]),
    )
    write_text(out / "index.html", html)
    for path in [*paths, out / "index.html"]:
        print(f"wrote {path}")


def _parse(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="inspect.py",
        description="Look at a label cache: writes PNG contact sheets and one HTML page.",
        epilog="`inspect.py diff LABEL DATASET A B` compares two tools; see `inspect.py diff --help`.",
    )
    parser.add_argument("label", help=", ".join(sorted(sources.EVERY)))
    parser.add_argument("dataset")
    parser.add_argument("--stats", action="store_true", help="only print what the cache is and holds")
    parser.add_argument("--ids", help="image ids, such as 3,17,100-120")
    parser.add_argument("--split", help="train, val, query, gallery, ...")
    parser.add_argument("--status", help=f"comma-separated: {', '.join(STATUS)}")
    parser.add_argument("--missing", action="store_true", help="short for --status missing,failed")
    parser.add_argument("--worst", action="store_true", help="lowest score first, instead of a random draw")
    parser.add_argument(
        "--count", type=at_least(1), help=f"how many images (default {choice.COUNT}; all that --ids names)"
    )
    parser.add_argument("--seed", type=at_least(0), default=0, help="of the random draw (default 0)")
    parser.add_argument("--parts", default="8", help=f"pifpaf: parts to colour, {', '.join(map(str, grouping.GROUPS))}")
    parser.add_argument("--out", type=Path, help="folder to write to (default tmp/inspect/LABEL-DATASET)")
    given = parser.parse_args(words)
    if given.missing and given.status:
        raise UserError("--missing is short for --status missing,failed; give one of them")
    if given.missing:
        given.status = "missing,failed"
    return given


def _choose(
    given: argparse.Namespace, split: np.ndarray, status: np.ndarray, score: np.ndarray
) -> tuple[np.ndarray, str]:
    """The images to draw, int64 (n,), and which they are in words."""
    rows, words = choice.candidates(split, ids=given.ids, wanted_split=given.split)
    if given.status:
        wanted = [name.strip() for name in given.status.split(",")]
        for name in wanted:
            choose(dict.fromkeys(STATUS), name, "status")
        rows = choice.with_status(rows, words, status, wanted)
        words = [*words, " or ".join(wanted)]
    count = given.count or (len(rows) if given.ids is not None else choice.COUNT)
    chosen = choice.worst(rows, score, count) if given.worst else choice.draw(rows, count, given.seed)
    how = "with the lowest scores, lowest first" if given.worst else "drawn at random"
    few = f"{len(chosen):,} of {len(rows):,} images, {how}" if len(chosen) < len(rows) else f"{len(rows):,} images"
    if given.worst and len(chosen) == len(rows):
        few += ", lowest score first"
    return chosen, few + (f" ({'; '.join(words)})" if words else "") + "."


def _cards(
    view: View, images: Images, cache: Cache, rows: np.ndarray, score: np.ndarray, parts: str
) -> Iterator[page.Card]:
    splits = images.splits()
    for start in range(0, len(rows), BATCH):
        batch = rows[start : start + BATCH]
        arrays = {name: cache.rows(name, batch) for name in view.members}
        for place, row in enumerate(batch.tolist()):
            values = {name: array[place] for name, array in arrays.items()}
            image = images.read(row)
            drawn = label_pictures.label(view, image, values, cache.status[row], header=cache.header, parts=parts)
            strip = page.Strip("", {"image": label_pictures.original(image), **drawn})
            note = ", ".join([f"score {score[row]:.2f}", *view.says(values)])
            status = STATUS[cache.status[row]]
            yield page.Card(row, status, str(splits[row]), images.path(row), float(score[row]), note, [strip])


def _tile(card: page.Card) -> np.ndarray:
    return sheets.tile(f"{card.image_id} · {card.status} · {card.note}", card.strips[0].pictures)
