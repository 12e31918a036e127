"""Find a person: rank a gallery by photos, write search.html and search.json.

    python stages/search.py --query photo.jpg --gallery FOLDER
    python stages/search.py --query a.jpg b.jpg --gallery runs/bot-market1501/embeddings.npz

The photos show one person each, cut out. The model is that of params.yaml, or --weights. A folder's embeddings are kept
in OUT/gallery.npz, which is a gallery too. Labels that a model needs in the test (pah: heads) are made by its tool.
--index: whole compares with every image exactly, as the evaluator does; exact and approximate let faiss make a short
list that is then re-scored by the exact distance; auto is whole up to 50,000 images and approximate beyond. The
threshold is calibrated on persons that training never saw.
"""

import argparse
import shlex
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from partreid import methods, params
from partreid.errors import UserError, choose, run
from partreid.evaluation.distances import DISTANCES
from partreid.evaluation.results import Streamed
from partreid.search import gallery as galleries
from partreid.search import page, shortlist, threshold
from partreid.search.gallery import Gallery
from partreid.search.nearest import Hits, nearest, rescored
from partreid.search.tensors import tensors
from partreid.search.unpacked import folder, unpacked
from partreid.storage import files, image_table
from partreid.storage.embeddings import Embeddings, Stored, joined
from partreid.storage.places import Run
from partreid.training.precision import device_of

WHOLE = 50_000  # images up to which every one is compared
INDEXES = dict.fromkeys(("auto", "whole", "exact", "approximate"))


def main() -> None:
    given = parsed()
    p = params.load()
    weights = given.weights or Run(p.model, p.dataset, p.dataset).weights
    trained, digest = methods.load(weights), files.sha256(weights)
    device = device_of(p.train.device)
    asked, skipped = galleries.readable(given.query)
    if skipped:
        raise UserError(f"cannot search by {skipped[0][0]}: {skipped[0][1]}")
    if given.gallery.is_dir():
        at_test = trained.use(p.at_test.get(trained.header["model"], {}))
        header = {"model": trained.header["model"], "distance": trained.method.distance}
        header |= {"at_test": at_test, "weights": digest}
        gallery = galleries.from_folder(given.gallery, trained, header, given.out / "gallery.npz", p, device)
    else:
        gallery = galleries.from_file(given.gallery, digest, p)
        at_test = gallery.stored.header.get("at_test", {})
        trained.method.use(**at_test)  # the photos are embedded as the gallery was
    query = joined(galleries.embedded(trained, asked, p, device))

    kind = given.index
    if kind == "auto":
        kind = "whole" if len(gallery) <= WHOLE else "approximate"
    hits = search(query, gallery, trained.method.distance, kind, given.top, given.shortlist)
    files_asked = {photo["sha1"] for photo in asked}
    limit, told = calibrated(weights, digest, at_test, files_asked, given.false_match_rate, len(gallery))

    header = trained.header
    found = page.answers([photo["path"] for photo in asked], hits, gallery, None if limit is None else limit.distance)
    about = {"model": header["model"], "trained on": header["dataset"], "weights": f"{weights} (sha256 {digest})"}
    about |= {"gallery": str(given.gallery), "images": f"{len(gallery):,}", "distance": trained.method.distance}
    about |= {"index": kind if kind == "whole" else f"{kind}, short list of {given.shortlist}"}
    result: dict[str, Any] = {**about, "threshold": None if limit is None else asdict(limit)}
    files.write_json(given.out / "search.json", {**result, "queries": [asdict(answer) for answer in found]})
    command = shlex.join(["python", *sys.argv])
    subtitle = f"{header['model']} trained on {header['dataset']} · {len(gallery):,} gallery images"
    html = page.render(subtitle, found, told, list(about.items()), command)
    files.write_text(given.out / "search.html", html)

    print(told)
    for answer in found:
        print(answer.path)
        if all(hit.distance is None for hit in answer.found):
            print("  warning: can be compared with nothing: no gallery image shows a part that this photo shows")
        for hit in answer.found[:5]:
            same = " same" if hit.same else ""
            print(f"  {hit.rank:2d}  {'inf' if hit.distance is None else f'{hit.distance:.4f}'}  {hit.name}{same}")
    print(f"wrote {given.out}/search.html and search.json")


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--query", nargs="+", required=True, help="image files")
    parser.add_argument("--gallery", type=Path, required=True, help="a folder of images, or an embeddings.npz")
    parser.add_argument("--weights", type=Path, help="runs/<model>-<dataset>/weights.safetensors")
    parser.add_argument("--top", type=int, default=20, help="images shown per photo")
    parser.add_argument("--index", default="auto", help=", ".join(INDEXES))
    parser.add_argument("--shortlist", type=int, default=500, help="images that are re-scored")
    parser.add_argument("--false-match-rate", type=float, default=0.001, help="of the threshold, a share")
    parser.add_argument("--out", type=Path, default=Path("results/search"))
    given = parser.parse_args()
    choose(INDEXES, given.index, "index (--index)")
    if given.top < 1 or given.shortlist < given.top:
        raise UserError(f"--top is 1 or more and --shortlist no less, found {given.top} and {given.shortlist}")
    if not 0 < given.false_match_rate < 1:
        raise UserError(f"--false-match-rate is a share between 0 and 1, found {given.false_match_rate}")
    if not given.gallery.exists():
        raise UserError(f"no gallery {given.gallery}; expected a folder of images or an embeddings file")
    return given


def search(query: Embeddings, gallery: Gallery, name: str, kind: str, top: int, count: int) -> Hits:
    """The first `top` of the gallery for every query by the distance of this name."""
    distance, asking = DISTANCES[name], tensors(query)
    if kind == "whole":
        return nearest(asking, Streamed(gallery.stored, gallery.image_ids), distance, top)
    place = folder(gallery.file, gallery.image_ids)
    rows = unpacked(gallery.stored, gallery.image_ids, place)
    pair = query.features, query.visibility
    if kind == "exact":
        candidates = shortlist.exact(pair, rows, name, min(count, len(rows)))
    else:
        candidates = shortlist.approximate(pair, rows, name, count, place / "lists.faiss")
    return rescored(asking, rows, candidates, distance, top)


def calibrated(
    weights: Path, digest: str, at_test: Mapping[str, Any], asked: set[str], rate: float, images: int
) -> tuple[threshold.Threshold | None, str]:
    """The threshold from the embeddings beside the weights, and what to say of it; None where these are not there."""
    file = weights.parent / "embeddings.npz"
    if not file.is_file():
        return None, f"No threshold: there is no {file}, with whose persons it is calibrated; `dvc repro` makes it."
    stored = Stored(file)
    dataset = stored.header["dataset"]
    index = Run(stored.header["model"], dataset, dataset).index
    if not index.is_file() or stored.header.get("table") != files.sha256(index):
        return None, f"No threshold: {file} belongs to another image table than {index}; `dvc repro` makes both anew."
    if stored.header.get("weights") != digest:
        return None, f"No threshold: {file} was made with other weights than {weights}; `dvc repro` makes it anew."
    if stored.header.get("at_test", {}) != at_test:
        return None, f"No threshold: {file} was embedded with other values of `at_test` than the gallery."
    table, split = threshold.validation(image_table.read(index), asked)
    have = np.isin(image_table.integers(table, "image_id"), stored.image_id)
    try:
        limit = threshold.calibrate(stored, table.filter(have), split, rate)
    except UserError as error:
        return None, f"No threshold: {error}."
    low, high = (100 * bound for bound in limit.interval)
    set_for = f"{100 * limit.carried:g} %"
    if limit.carried > rate:
        set_for = f"{100 * limit.carried:.2g} %, the lowest rate that its {limit.set_on:,} pairs can carry"
    return limit, (
        f"Threshold {limit.distance:.4f}: nearer images are called the same person. Measured on persons of {dataset} "
        f"whom training never saw (half of {limit.persons} persons of its {split} split; on the other half it was set "
        f"for {set_for}), {100 * limit.false_matches:.3f} % ({low:.3f} to {high:.3f} % with 95 % confidence) of "
        f"{limit.different:,} pairs of different persons are that near (false matches), and "
        f"{100 * limit.matches:.1f} % of {limit.same:,} pairs of the same person. Among {images:,} images of other "
        f"persons that makes about {images * limit.false_matches:.1f} false matches ({images * low / 100:.1f} to "
        f"{images * high / 100:.1f}). On photos unlike that data set the rates differ."
    )


if __name__ == "__main__":
    run(main)
