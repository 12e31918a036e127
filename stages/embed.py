"""Embed all query and gallery images with a trained method. Usage: python stages/embed.py METHOD DATASET"""

from pathlib import Path

from partreid import embeddings, files, methods, params, records
from partreid.errors import UserError, arguments, run
from partreid.inference import embed
from partreid.labels import LABELS
from partreid.training.kinds import read
from partreid.training.loop import device_of


def main() -> None:
    name, dataset = arguments(__doc__, "method", "dataset")
    p = params.load()
    table_path, weights = Path(f"data/index/{dataset}.parquet"), Path(f"runs/{name}-{dataset}/weights.pt")
    table = records.select(records.read(table_path), "query", "gallery")
    if not len(table):
        raise UserError(f"{table_path} has no query and no gallery images, so there is nothing to embed")
    trained = methods.load(weights)
    header = {
        **{key: trained.header[key] for key in ("model", "dataset", "recipe", "seed", "labels", "precision")},
        "distance": trained.method.distance,
        "parts": trained.method.part_names(),
        "trained_by": trained.header["revision"],
        "table": files.sha256(table_path),
        "weights": files.sha256(weights),
    }
    kinds = trained.method.labels_at_test
    image_ids = records.integers(table, "image_id")
    labels = {kind: read(kind, LABELS[kind].file(kind, dataset), table_path, image_ids) for kind in kinds}
    batches = embed(trained, table, p.root(dataset), labels, device_of(p.train.device))
    embeddings.write(Path(f"runs/{name}-{dataset}/embeddings.npz"), header, batches)


if __name__ == "__main__":
    run(main)
