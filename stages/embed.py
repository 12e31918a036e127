"""Embed every test image of a data set with a trained method. Usage: python stages/embed.py METHOD DATASET"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from tqdm import tqdm

from partreid import chunks, embeddings, files, methods, params, records
from partreid.embeddings import Embeddings
from partreid.errors import UserError, arguments, run
from partreid.training.images import load_images
from partreid.training.loop import device_of

BATCH = 64


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
    batches = embed(trained, table, p.root(dataset), device_of(p.train.device))
    embeddings.write(Path(f"runs/{name}-{dataset}/embeddings.npz"), header, batches)


def embed(trained: methods.Trained, table: pa.Table, root: Path, device: torch.device) -> Iterator[Embeddings]:
    """Embeddings of the table's rows, a chunk at a time."""
    method = trained.method.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    image_ids, paths = records.integers(table, "image_id"), table["path"].to_pylist()
    with tqdm(total=len(paths), desc="embed", unit="image") as bar, torch.inference_mode():
        for start in range(0, len(paths), chunks.CHUNK):
            features, visibility = [], []
            for first in range(start, min(start + chunks.CHUNK, len(paths)), BATCH):
                batch = paths[first : min(first + BATCH, start + chunks.CHUNK)]
                images = load_images(root, batch, trained.height, trained.width)
                f, v = method.embed(images.to(device, memory_format=torch.channels_last))
                features.append(f.float().cpu().numpy())
                visibility.append(v.float().cpu().numpy())
                bar.update(len(batch))
            ids = image_ids[start : start + chunks.CHUNK]
            yield Embeddings(ids, np.concatenate(features), np.concatenate(visibility), {})


if __name__ == "__main__":
    run(main)
