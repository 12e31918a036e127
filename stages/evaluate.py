"""Evaluate the chosen model on the chosen data set, or on TARGET, by all of that set's protocols.

Usage: python stages/evaluate.py [TARGET]
Reads data/index/<target>.parquet and the embeddings in runs/<model>-<dataset>/; writes results/<target>/<model>/, or
results/<target>/<model>-<dataset>/ where the target is not the data set that the model was trained on.
"""

import argparse
import json
from dataclasses import replace
from typing import Any

import pyarrow.parquet as pq

from partreid import params
from partreid.errors import UserError
from partreid.evaluation import protocols, rerank
from partreid.evaluation.protocols import RE_RANKED, Protocol, reached
from partreid.evaluation.record import record
from partreid.evaluation.results import cmc_csv, evaluate, ranks_table, summary, text
from partreid.program import run
from partreid.storage import embeddings, image_table, turn
from partreid.storage.files import sha256, whole, write_json, write_text
from partreid.storage.places import Run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", nargs="?", help="another data set than `dataset` of params.yaml")
    turn.taken(params.read())
    p = params.load()
    here = Run(p.model, p.dataset, parser.parse_args().target or p.dataset)

    table = image_table.read(here.index)
    embedded = embeddings.Stored(here.embeddings)
    found = sha256(here.index)
    if embedded.header.get("table") != found:
        raise UserError(
            f"{here.embeddings} was made from another image table (sha256 {embedded.header.get('table')}) than "
            f"{here.index} ({found}); run `dvc repro` to embed the images again"
        )

    how = p.evaluate
    known = protocols.of(here.target)
    there = reached(known, len(image_table.select(table, "gallery")))
    if lacking := [name for name in known if name not in there]:
        print(f"warning: {here.target} is incomplete: {', '.join(lacking)} cannot be measured")
    wanted = ways(there, how.rerank)
    results = {}
    for name, (protocol, reranking) in wanted.items():
        result = evaluate(embedded, table, protocol, how.average_precision, how.unmatched, how.ranks, rerank=reranking)
        if len(result.query):
            results[name] = result
        else:
            print(f"{name}: left out, none of its {result.skipped} queries has a match in the gallery")
    if not results:
        raise UserError(
            f"{here.index}: no query of {here.target} has a right answer in the gallery, so there is nothing to "
            "measure; every person needs a query image and a gallery image, by another camera where cameras are known"
        )

    summaries = {name: summary(result) for name, result in results.items()}
    used = {name: wanted[name][0] for name in results}
    about = record(here.model, here.target, embedded.header, used, how.average_precision, how.unmatched)
    write_json(here.metrics, summaries)
    write_text(here.results / "cmc.csv", cmc_csv(results))
    write_json(here.results / "record.json", about)
    with whole(here.results / "ranks.parquet") as temporary:
        ranks = ranks_table(results).replace_schema_metadata({"record": json.dumps(about, sort_keys=True)})
        pq.write_table(ranks, temporary, compression="zstd")
    print(f"{here.title} ({how.average_precision} average precision, per cent)")
    print(text(summaries))
    for name, values in summaries.items():
        if nothing := values.get("incomparable"):
            print(
                f"warning: {name}: {nothing} of {values['queries']} queries could be compared with nothing: they share "
                "no visible part with any gallery image; they count as ranked at random"
            )


def ways(there: dict[str, Protocol], reranking: params.Rerank) -> dict[str, tuple[Protocol, dict[str, Any] | None]]:
    """Each protocol as it is and, where re-ranking is on, again with it, which its name and text then say."""
    result: dict[str, tuple[Protocol, dict[str, Any] | None]] = {}
    options: dict[str, Any] = {
        "k1": reranking.k1,
        "k2": reranking.k2,
        "original": reranking.original,
        "half": reranking.code,
    }
    for name, protocol in there.items():
        result[name] = protocol, None
        if reranking.code != "none":
            full = f"{protocol.text}; {rerank.described(**options)}"
            result[f"{name}{RE_RANKED}"] = replace(protocol, text=full), options
    return result


if __name__ == "__main__":
    run(main)
