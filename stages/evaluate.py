"""Evaluate the chosen model on the chosen data set by all of the data set's protocols.

Usage: python stages/evaluate.py
Reads data/index/<dataset>.parquet and runs/<model>-<dataset>/embeddings.npz; writes results/<dataset>/<model>/.
"""

import json
from pathlib import Path

import pyarrow.parquet as pq

from partreid import embeddings, params, records
from partreid.errors import UserError, choose, run
from partreid.evaluation.protocols import PROTOCOLS
from partreid.evaluation.record import record
from partreid.evaluation.results import cmc_csv, evaluate, ranks_table, summary, text
from partreid.files import sha256, whole, write_json, write_text


def main() -> None:
    p = params.load()
    index = Path("data/index") / f"{p.dataset}.parquet"
    source = Path("runs") / f"{p.model}-{p.dataset}" / "embeddings.npz"
    out = Path("results") / p.dataset / p.model

    table = records.read(index)
    embedded = embeddings.Stored(source)
    found = sha256(index)
    if embedded.header.get("table") != found:
        raise UserError(
            f"{source} was made from another image table (sha256 {embedded.header.get('table')}) than {index} "
            f"({found}); run `dvc repro` to embed the images again"
        )

    results, how = {}, p.evaluate
    for name, protocol in choose(PROTOCOLS, p.dataset, "data set with protocols").items():
        result = evaluate(embedded, table, protocol, how.average_precision, how.unmatched, how.ranks)
        if len(result.query):
            results[name] = result
        else:
            print(f"{name}: left out, none of its {result.skipped} queries has a match in the gallery")
    if not results:
        raise UserError(
            f"{index}: no query of {p.dataset} has a right answer in the gallery, so there is nothing to measure; "
            "every person needs a query image and a gallery image, by another camera where cameras are known"
        )

    summaries = {name: summary(result) for name, result in results.items()}
    protocols = {name: PROTOCOLS[p.dataset][name] for name in results}
    about = record(p.model, p.dataset, embedded.header, protocols, p.evaluate.average_precision, p.evaluate.unmatched)
    write_json(out / "metrics.json", summaries)
    write_text(out / "cmc.csv", cmc_csv(results))
    write_json(out / "record.json", about)
    with whole(out / "ranks.parquet") as temporary:
        ranks = ranks_table(results).replace_schema_metadata({"record": json.dumps(about, sort_keys=True)})
        pq.write_table(ranks, temporary, compression="zstd")
    print(f"{p.model} on {p.dataset} ({p.evaluate.average_precision} average precision, per cent)")
    print(text(summaries))


if __name__ == "__main__":
    run(main)
