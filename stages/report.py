"""Write the report of the chosen model on the chosen data set, or on TARGET. Usage: python stages/report.py [TARGET]

Reads what stages/evaluate.py wrote and runs/<model>-<dataset>/; writes report.html, four PNGs and parts.json (how well
parts are seen, on rendered sets) beside the results, and, where it is about the data set itself, the model card beside
the weights.
"""

import argparse
from dataclasses import replace
from pathlib import Path

from partreid import methods, params
from partreid.drawing import pictures, plots
from partreid.experiments import overrides
from partreid.labels import LABELS
from partreid.program import run
from partreid.report import attention, card, facts, figures, gather, inputs, page, parts, pipeline, ranking, sheets
from partreid.storage import image_table, turn
from partreid.storage.cache import Cache
from partreid.storage.files import write_bytes, write_json, write_text
from partreid.storage.places import Run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", nargs="?", help="another data set than `dataset` of params.yaml")
    target = parser.parse_args().target
    turn.taken(params.read())
    p = params.load()
    here = Run(p.model, p.dataset, target or p.dataset)
    folder = here.results
    results = inputs.results(folder)
    table = image_table.read(here.index)
    trained = methods.load(here.weights)
    converted = "converted" in trained.header
    learned = not converted and trained.header["training"]["epochs"] > 0
    curves = inputs.curves(here.folder / "curves") if learned else {}
    trained.use(p.at_test.get(p.model, {}))
    album = gather.Album(table, p.root(here.target))
    pids = image_table.integers(table, "pid")

    rankings = {name: ranking.choose(results.ranks, name, pids, p.train.seed) for name in results.metrics}

    queries = {name: ranking.queries(results.ranks, name) for name in results.metrics}
    candidates = attention.candidates(queries, pids, p.train.seed)
    needed = gather.labels_at_test(trained, here.target, here.index, candidates)
    looks = gather.looks(trained, album, needed, candidates)
    looks = looks.take(attention.rows(looks.visible))
    caches, drawn, notes = {}, {}, []
    for kind in trained.method.labels:
        path = LABELS[kind].file(kind, here.target)
        if not path.is_file():  # weights may come from DVC's cache or a colleague, without the labels behind them
            notes.append(f"The {kind} labels are not on this disk ({path}), so they are not shown.")
            continue
        caches[kind] = Cache(path, f"label/{kind}", here.index)
        grouping = trained.header["options"].get("parts", 8)  # that the label is coloured by
        drawn[kind] = gather.labels(kind, caches[kind], album, looks.image_id, grouping)
    looks = replace(looks, labels=drawn)

    context = figures.Context(trained, album, table, here.index, looks.image_id, here.target, p.train.seed)
    seen = parts.compared(context)
    own = [*parts.figures(seen), *figures.of(context)]

    header, headers = trained.header, {kind: cache.header for kind, cache in caches.items()}
    html = page.render(
        title=here.title,
        subtitle=facts.subtitle(header),
        results=results,
        curves=curves,
        rankings=rankings,
        looks=looks,
        stages=pipeline.upstream(pipeline.read(Path()), f"report-on@{target}" if target else "report"),
        facts=facts.facts(header, results.record, headers),
        commands=facts.commands(header, overrides.since(header.get("revision", "").partition("-")[0], params.read())),
        album=album,
        notes=notes,
        figures=own,
    )
    write_text(folder / "report.html", html)
    write_json(folder / "parts.json", parts.numbers(seen))
    if target is None:
        write_text(here.card, card.card(header, results.metrics, here.target, headers))
    first = next(iter(rankings.values()))
    write_bytes(folder / "ranking.png", pictures.png(sheets.rankings(first, album.thumb)))
    write_bytes(folder / "attention.png", pictures.png(sheets.looks(looks, album.thumb)))
    if not converted:  # an output of the stage, also of a training of no epochs
        write_bytes(folder / "curves.png", plots.png(plots.curves(curves)))
    write_bytes(folder / "cmc.png", plots.png(plots.cmc(results.cmc)))
    print(f"wrote {folder}/report.html ({len(html) / 1e6:.1f} MB) and ranking, attention, curves, cmc.png beside it")


if __name__ == "__main__":
    run(main)
