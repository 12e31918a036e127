"""What an image table can be used for: known from the table alone, so said before anything is computed from it."""

import numpy as np
import pyarrow as pa

from partreid.errors import UserError
from partreid.params import RENDERED, Params
from partreid.storage import image_table
from partreid.storage.image_table import JUNK

NO_QUERIES = "no queries: this set can be trained on, but not evaluated"
FEW = 10  # persons: with fewer, a training learns them by heart and little that holds for others
RULES = "data/README.md says how a data set is split"


def foreseen(dataset: str, table: pa.Table, p: Params) -> list[str]:
    """Warnings of what params.yaml asks of a data set; UserError where no sensible thing can follow.

    Errors: the set to train on has fewer than two persons who train; a set to test on alone has no queries or no
    gallery; there are queries, and none has a right answer. A set that params.yaml does not choose may be anything.
    """
    trains, tested = dataset == p.dataset, dataset in p.also_test_on
    if trains and (learned := persons(table, "train")) < 2:
        raise UserError(
            f"{dataset} has {learned} person{'s' * (learned != 1)} to train on, and training needs two. Either "
            f"name who trains ({RULES}), or train on another set and test on this one, as with "
            f"-S dataset=market1501 -S 'also_test_on=[{dataset}]'"
        )
    asking, answered = answerable(table)
    lacking = [split for split in ("query", "gallery") if split not in table["split"].unique().to_pylist()]
    if tested and lacking:
        raise UserError(f"{dataset} (also_test_on) has no {' and no '.join(lacking)} images to test on; {RULES}")
    if (trains or tested) and asking and not answered:
        raise UserError(
            f"none of the {asking} queries of {dataset} has a right answer in the gallery (an image of the same "
            f"person, by another camera where cameras are known), so nothing could be measured; {RULES}"
        )
    warnings = [NO_QUERIES] if trains and not asking else []
    if (trains or tested) and asking and persons(table, "gallery") == 1:
        warnings.append(f"the gallery of {dataset} shows one person: every answer is right, and results say nothing")
    if trains and dataset not in RENDERED and learned < FEW:  # rendered persons are as many as were ordered
        warnings.append(
            f"{dataset} has {learned} persons to train on: too few to learn from. Train elsewhere and test here: "
            f"-S dataset=synthetic -S 'also_test_on=[{dataset}]'"
        )
    return warnings


def persons(table: pa.Table, split: str) -> int:
    """How many persons a split shows; distractors, who are in a gallery, count as one."""
    pid = image_table.integers(image_table.select(table, split), "pid")
    return len(np.unique(pid[pid != JUNK]))


def answerable(table: pa.Table) -> tuple[int, int]:
    """How many queries there are, and how many have a gallery image of the same person that may answer.

    May: by another camera, or either image's camera is unknown (null, here -1).
    """
    cameras: dict[int, set[int]] = {}
    for pid, camera in np.unique(_who(image_table.select(table, "gallery")), axis=0).tolist():
        if pid != JUNK:  # a distractor's pid, 0, is no query's, or an ordinary person's
            cameras.setdefault(pid, set()).add(camera)
    queries, counts = np.unique(_who(image_table.select(table, "query")), axis=0, return_counts=True)
    answered = 0
    for (pid, camera), count in zip(queries.tolist(), counts.tolist(), strict=True):
        seen = cameras.get(pid, set())
        if seen and (camera == -1 or -1 in seen or seen != {camera}):
            answered += count
    return int(counts.sum()), answered


def _who(table: pa.Table) -> np.ndarray:
    """int64 (N, 2): person and camera of images."""
    return np.stack([image_table.integers(table, name) for name in ("pid", "camid")], 1)
