"""What is searched in: a folder of photos, or an embeddings file of the pipeline or of an earlier search."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from partreid.datasets.images import measure
from partreid.datasets.walk import ENDINGS, Walk
from partreid.errors import UserError
from partreid.inference import embed
from partreid.methods.base import Trained
from partreid.params import Params
from partreid.storage import embeddings, files, image_table
from partreid.storage.embeddings import Embeddings, Stored
from partreid.storage.places import Run

Photos = dict[str, str]  # path -> hex SHA-1 of the file


@dataclass(frozen=True)
class Gallery:
    """N images: `paths` are their files, `image_ids` their numbers in the embeddings file `file`."""

    file: Path
    stored: Stored
    image_ids: np.ndarray
    paths: Sequence[Path]

    def __len__(self) -> int:
        return len(self.image_ids)


def readable(paths: Sequence[str]) -> tuple[Photos, list[list[str]]]:
    """The image files among `paths`, and the others with the reason, [path, reason] each."""
    measured, skipped = measure(Path(), [{"path": path} for path in paths])
    return {row["path"]: row["sha1"] for row in measured}, skipped


def embedded(trained: Trained, paths: Sequence[str], device: torch.device) -> Iterator[Embeddings]:
    """Embeddings of image files, numbered in this order. UserError when the method needs labels at test time."""
    if kinds := trained.method.labels_at_test:
        raise UserError(
            f"{trained.header['model']} needs {', '.join(kinds)} labels at test time, which a search does not make; "
            "make the photos a data set (data/README.md), or search with another model"
        )
    table = pa.table({"image_id": pa.array(range(len(paths)), pa.int32()), "path": pa.array(paths, pa.string())})
    return embed(trained, table, Path(), {}, device)


def from_folder(folder: Path, trained: Trained, header: Mapping[str, Any], out: Path, device: torch.device) -> Gallery:
    """Embed every image below a folder. header: of the embeddings, which go to `out`, with the weights' SHA-256."""
    walk = Walk(folder.resolve())
    good, skipped = readable([str(walk.root / path) for path in walk.below()])
    for path, reason in skipped:
        print(f"left out: {path}: {reason}")
    if walk.left_out():
        print(f"left out: {walk.left_out()}")
    if not good:
        raise UserError(f"no readable image below {folder}; expected files that end with {', '.join(ENDINGS)}")
    embeddings.write(out, {**header, "paths": list(good)}, embedded(trained, list(good), device))
    return from_file(out, header["weights"], None)


def from_file(file: Path, weights: str, p: Params | None) -> Gallery:
    """Open an embeddings file. Of a data set's file its gallery split is searched, without junk.

    p: params.yaml, where the file may be a data set's. UserError when other weights made it, or another image table.
    """
    stored = Stored(file)
    if stored.header.get("weights") != weights:
        raise UserError(
            f"{file} was made with other weights (sha256 {str(stored.header.get('weights'))[:12]}...) than those of "
            f"this search ({weights[:12]}...); name the right ones with --weights"
        )
    if "paths" in stored.header:
        return Gallery(file, stored, stored.image_id, [Path(path) for path in stored.header["paths"]])
    if p is None:
        raise UserError(f"{file} does not say which images it holds; make it again")
    dataset = stored.header.get("target", stored.header["dataset"])
    index = Run(stored.header["model"], stored.header["dataset"], dataset).index
    table = image_table.read(index)
    if stored.header.get("table") != files.sha256(index):
        raise UserError(f"{file} was made from another image table than {index}; run `dvc repro`")
    table = image_table.select(table, "gallery")
    table = table.filter(pa.array(image_table.integers(table, "pid") > image_table.JUNK))
    root = p.root(dataset)
    return Gallery(
        file, stored, image_table.integers(table, "image_id"), [root / path for path in table["path"].to_pylist()]
    )
