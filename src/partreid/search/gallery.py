"""What is searched in: a folder of photos, or an embeddings file of the pipeline or of an earlier search."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from partreid.datasets.images import Row, measure
from partreid.datasets.walk import ENDINGS, Walk
from partreid.errors import UserError
from partreid.inference import embed
from partreid.methods.base import Trained
from partreid.params import Params
from partreid.search.labels import made
from partreid.storage import embeddings, image_table
from partreid.storage.embeddings import Embeddings, Stored

Photos = list[Row]  # path, width, height and sha1 of image files


@dataclass(frozen=True)
class Gallery:
    """N images: `paths` are their files, `image_ids` their numbers in the embeddings file `file`.

    names: what to call them: below a folder the path, which begins with the person where the folders are persons; in a
    data set person and camera. places: paths below the folder, or the data set's. cameras: names, "" where none is
    known. sha1: hex, of the files' bytes; empty where they are not known.
    """

    file: Path
    stored: Stored
    image_ids: np.ndarray
    paths: Sequence[Path]
    names: Sequence[str]
    places: Sequence[str]
    cameras: Sequence[str]
    sha1: Sequence[str] = ()

    def __len__(self) -> int:
        return len(self.image_ids)


def readable(paths: Sequence[str]) -> tuple[Photos, list[list[str]]]:
    """The image files among `paths`, and the others with the reason, [path, reason] each."""
    measured, skipped = measure(Path(), [{"path": path} for path in paths])
    return measured, skipped


def embedded(trained: Trained, photos: Photos, p: Params, device: torch.device) -> Iterator[Embeddings]:
    """Embeddings of photos, numbered in this order. The labels that the method needs at test time are made first."""
    labels = made(trained.method.labels_at_test, photos, p)
    paths = [photo["path"] for photo in photos]
    table = pa.table({"image_id": pa.array(range(len(paths)), pa.int32()), "path": pa.array(paths, pa.string())})
    return embed(trained, table, Path(), labels, device)


def opened(
    path: Path, trained: Trained, weights: str, p: Params, kept: Path, device: torch.device
) -> tuple[Gallery, dict[str, Any]]:
    """A folder, whose embeddings are written to `kept`, or an embeddings file; and the values of `at_test` it goes by.

    trained: from then on embeds as the gallery was embedded. weights: their SHA-256.
    """
    if not path.exists():
        raise UserError(f"no gallery {path}; expected a folder of images or an embeddings file")
    if path.is_dir():
        at_test = trained.use(p.at_test.get(trained.header["model"], {}))
        header = {"model": trained.header["model"], "distance": trained.method.distance}
        header |= {"at_test": at_test, "weights": weights}
        return from_folder(path, trained, header, kept, p, device), at_test
    gallery = from_file(path, weights, p)
    if not len(gallery):
        raise UserError(f"{path} holds no image to search in: those of a data set's gallery split count, without junk")
    at_test = gallery.stored.header.get("at_test", {})
    trained.method.use(**at_test)  # the photos are embedded as the gallery was
    return gallery, at_test


def from_folder(
    folder: Path, trained: Trained, header: Mapping[str, Any], out: Path, p: Params, device: torch.device
) -> Gallery:
    """Embed every image below a folder. header: of the embeddings, which go to `out`, with the weights' SHA-256."""
    walk = Walk(folder.resolve())
    good, skipped = readable([str(walk.root / path) for path in walk.below()])
    for path, reason in skipped:
        print(f"left out: {path}: {reason}")
    if walk.left_out():
        print(f"left out: {walk.left_out()}")
    if not good:
        raise UserError(f"no readable image below {folder}; expected files that end with {', '.join(ENDINGS)}")
    paths = [photo["path"] for photo in good]
    about = {"paths": paths, "root": str(walk.root), "sha1": [photo["sha1"] for photo in good]}
    embeddings.write(out, {**header, **about}, embedded(trained, good, p, device))
    return from_file(out, header["weights"], None)


def from_file(file: Path, weights: str, p: Params | None) -> Gallery:
    """Open an embeddings file, npz or Parquet. Of a data set's file its gallery split is searched, without junk.

    p: params.yaml, where the file may be a data set's. UserError when other weights made it, or another image table.
    """
    stored = Stored(file)
    if stored.header.get("weights") != weights:
        raise UserError(
            f"{file} was made with other weights (sha256 {str(stored.header.get('weights'))[:12]}...) than those of "
            f"this search ({weights[:12]}...); name the right ones with --weights"
        )
    if (about := stored.about()) is not None:
        return _of_table(file, stored, about)
    if "paths" in stored.header:
        paths = [Path(path) for path in stored.header["paths"]]
        root = stored.header.get("root", "")
        names = [path.relative_to(root).as_posix() if root else path.name for path in paths]
        return Gallery(
            file, stored, stored.image_id, paths, names, names, [""] * len(names), stored.header.get("sha1", ())
        )
    if p is None:
        raise UserError(f"{file} does not say which images it holds; make it again")
    dataset, table = embeddings.table_of(stored, file)
    table = image_table.without_junk(image_table.select(table, "gallery"))
    root, places = p.root(dataset), table["path"].to_pylist()
    paths, names = [root / path for path in places], image_table.called(table)
    image_ids = image_table.integers(table, "image_id")
    sha1 = table["sha1"].to_pylist()
    return Gallery(file, stored, image_ids, paths, names, places, image_table.cameras(table), sha1)


def _of_table(file: Path, stored: Stored, about: pa.Table) -> Gallery:
    """A Parquet file, which says itself which images it holds."""
    pids = about["pid"].to_numpy()  # NaN for null
    keep = ~(pids <= image_table.JUNK)
    splits = np.array([split or "" for split in about["split"].to_pylist()])
    if (splits != "").any():
        keep &= splits == "gallery"
    about = about.filter(pa.array(keep))
    root = Path(stored.header.get("root", ""))
    names = about["path"].to_pylist()
    paths, image_ids = [root / name for name in names], image_table.integers(about, "image_id")
    return Gallery(file, stored, image_ids, paths, names, names, image_table.cameras(about))
