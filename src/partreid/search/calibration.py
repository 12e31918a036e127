"""The threshold of a model, from the embeddings that lie beside its weights, and what is to be said of it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from partreid.errors import UserError
from partreid.search import threshold
from partreid.storage import files, image_table
from partreid.storage.embeddings import Stored
from partreid.storage.places import Run, absent


def calibrated(
    weights: Path, digest: str, at_test: Mapping[str, Any], asked: set[str], rate: float, images: int
) -> tuple[threshold.Threshold | None, str]:
    """The threshold from the embeddings beside the weights, and what to say of it; None where these are not there."""
    file = weights.parent / "embeddings.npz"
    if not file.is_file():
        return None, (
            f"No threshold: there is no {file}, with whose persons it is calibrated. `dvc repro` makes those of "
            "runs/, and stages/keep.py copies them too."
        )
    stored = Stored(file)
    dataset = stored.header["dataset"]
    index = Run(stored.header["model"], dataset, dataset).index
    if not index.is_file():
        return None, f"No threshold: {absent(index)}; {file}, with whose persons it is calibrated, is about its images."
    if stored.header.get("table") != files.sha256(index):
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
