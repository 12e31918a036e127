"""What a method trains on, read from the image table and the label caches."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from partreid.errors import UserError
from partreid.inputs import kinds
from partreid.storage import image_table
from partreid.training.data import TrainingSet


def training_set(table_path: Path, root: Path, label_paths: Mapping[str, Path]) -> TrainingSet:
    """The training split of an image table with its labels (kind -> cache file).

    pids are numbered 0..identities-1 in ascending order. Junk does not train.
    """
    table = image_table.without_junk(image_table.select(image_table.read(table_path), "train"))
    pid = image_table.integers(table, "pid")
    identities, relabelled = np.unique(pid, return_inverse=True)
    if len(identities) < 2:
        raise UserError(
            f"{table_path} has {len(identities)} persons in its training split, training needs two or more; "
            "see data/README.md for how a data set is split"
        )
    image_ids = image_table.integers(table, "image_id")
    labels = {kind: kinds.read(kind, path, table_path, image_ids) for kind, path in label_paths.items()}
    sizes = np.stack([image_table.integers(table, name) for name in ("height", "width")], 1)
    paths, sha1 = table["path"].to_pylist(), table["sha1"].to_pylist()
    return TrainingSet(root, paths, relabelled.astype(np.int64), labels, sha1, sizes)
