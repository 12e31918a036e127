"""Who takes part: which rows of an image table ask and which answer."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa

from partreid.errors import UserError
from partreid.storage.image_table import DISTRACTOR, JUNK, about, integers

Pick = Callable[[pa.Table], np.ndarray]  # image table -> bool (N,)


def queries(table: pa.Table) -> np.ndarray:
    """Images of the query split that are somebody."""
    return _split(table, "query") & (integers(table, "pid") > JUNK)


def gallery(table: pa.Table) -> np.ndarray:
    """Images of the gallery split without junk, which is junk for every query and so never ranked."""
    return _split(table, "gallery") & (integers(table, "pid") > JUNK)


def persons_only(table: pa.Table) -> np.ndarray:
    """Queries of a benchmark where pid 0 stands for distractors."""
    return queries(table) & (integers(table, "pid") != DISTRACTOR)


def occluded_queries(table: pa.Table) -> np.ndarray:
    """Queries that something hides in part; an image of which that is not known is left out."""
    return queries(table) & table["occluded"].fill_null(False).to_numpy()


def misaligned_queries(table: pa.Table) -> np.ndarray:
    """Queries whose box is shifted, loose, or cuts off head or feet. UserError if the table does not say."""
    if "misaligned" not in table.column_names:
        raise UserError("the image table has no column 'misaligned'; run `dvc repro` again to rebuild the index")
    return queries(table) & table["misaligned"].fill_null(False).to_numpy()


def test_set(table: pa.Table) -> np.ndarray:
    """Query and gallery images without junk: a gallery that the queries are part of."""
    return queries(table) | gallery(table)


def several_per_query(table: pa.Table) -> np.ndarray:
    """Images of the split multi_query whose person and camera are those of a query."""
    pid, camera = integers(table, "pid"), integers(table, "camid")
    pair = pid * (camera.max(initial=0) + 2) + camera
    return _split(table, "multi_query") & np.isin(pair, pair[persons_only(table)])


def first_of_gallery(images: int) -> Pick:
    """The gallery cut to its first `images` images in table order, junk among them counted but never ranked."""

    def pick(table: pa.Table) -> np.ndarray:
        return gallery(table) & (np.cumsum(_split(table, "gallery")) <= images)

    return pick


def by_cameras(pick: Pick, *cameras: int) -> Pick:
    """Those of `pick` that were seen by one of the cameras (camid, from 0)."""
    return lambda table: pick(table) & np.isin(integers(table, "camid"), cameras)


def who_change_clothes(pick: Pick) -> Pick:
    """Those of `pick` whose person the data set lists as changing clothes."""
    return lambda table: pick(table) & np.isin(integers(table, "pid"), about(table)["cloth_change"]["test"])


def _split(table: pa.Table, name: str) -> np.ndarray:
    return pa.compute.equal(table["split"], name).to_numpy()
