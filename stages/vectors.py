"""Write embeddings as Parquet, a row per image with its path, person and camera, for DuckDB, pandas, faiss, LanceDB ...

    python stages/vectors.py runs/bot-market1501/embeddings.npz market.parquet
    python stages/vectors.py results/search/gallery.npz photos.parquet

The columns are described in data/README.md. stages/search.py takes such a file as --gallery.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from partreid import params
from partreid.errors import UserError
from partreid.program import run
from partreid.storage import chunks, vector_table
from partreid.storage.embeddings import Stored, table_of


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("embeddings", type=Path, help="an embeddings.npz of the pipeline, or a gallery.npz of a search")
    parser.add_argument("out", type=Path, help="the Parquet file")
    given = parser.parse_args()
    if given.out.suffix != ".parquet":
        raise UserError(f"{given.out} is to be Parquet; give it a name that ends with .parquet")
    stored = Stored(given.embeddings)
    about, root = described(stored, given.embeddings)
    header = {key: value for key, value in stored.header.items() if key != "paths"} | {"root": str(root)}
    vector_table.write(given.out, header, about, blocks(stored))
    print(f"wrote {given.out}: {len(stored.image_id)} images")


def described(stored: Stored, file: Path) -> tuple[pa.Table, Path]:
    """Path, split, pid and camid of every row, and the folder that the paths are relative to."""
    if stored.about() is not None:
        raise UserError(f"{file} is Parquet already; give an embeddings.npz of the pipeline, or a gallery.npz")
    if "paths" in stored.header:
        paths = stored.header["paths"]
        nothing = pa.nulls(len(paths))
        root = Path(stored.header.get("root", ""))
        shown = [Path(path).relative_to(root).as_posix() if str(root) != "." else path for path in paths]
        return pa.table({"path": shown, "split": nothing, "pid": nothing, "camid": nothing}), root
    dataset, table = table_of(stored, file)
    return table.take(pa.array(stored.image_id)).select(list(vector_table.ABOUT)), params.load().root(dataset)


def blocks(stored: Stored) -> Iterator[dict[str, np.ndarray]]:
    """The embeddings, a chunk at a time."""
    for start in range(0, len(stored.image_id), chunks.CHUNK):
        found = stored.of(stored.image_id[start : start + chunks.CHUNK])
        yield {"image_id": found.image_id, "features": found.features, "visibility": found.visibility}


if __name__ == "__main__":
    run(main)
