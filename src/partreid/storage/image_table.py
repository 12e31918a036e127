"""The image table: one row per image of a data set. Every stage after `index` knows the data set only through it."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from partreid.errors import UserError, reason
from partreid.storage.files import whole
from partreid.storage.places import maker

SPLITS = ("train", "val", "query", "gallery", "multi_query")
DISTRACTOR = 0  # a pid of the gallery that is no query's: ranked, always wrong (where the benchmark has them)
JUNK = -1  # never ranked

# name, type, nullable
COLUMNS: tuple[tuple[str, pa.DataType, bool], ...] = (
    ("image_id", pa.int32(), False),  # 0..N-1, the row number
    ("path", pa.string(), False),  # relative to the data set's root, with /
    ("split", pa.string(), False),  # one of SPLITS
    ("pid", pa.int32(), False),  # person; -1 = junk
    ("camid", pa.int32(), True),  # camera, 0-based; null when the set has no cameras
    ("clothes_id", pa.int32(), True),  # outfit, unique over the set
    ("tracklet_id", pa.int32(), True),
    ("frame", pa.int32(), True),
    ("occluded", pa.bool_(), True),  # part of the person is hidden or cut off; null where the set does not say
    ("width", pa.int32(), False),  # pixels
    ("height", pa.int32(), False),  # pixels
    ("sha1", pa.string(), False),  # of the file's bytes
)
# columns that only the tables of some sets have, after the others
MORE = {"misaligned": pa.bool_()}  # the box is shifted, loose, or cuts off head or feet


def build(rows: Iterable[Mapping[str, Any]], about: Mapping[str, Any]) -> pa.Table:
    """Make an image table from rows without image_id (it becomes the row number); missing nullable columns become null.

    `about` is kept as JSON in the table's metadata: the data set's name, the published counts that were checked,
    the files that were skipped and why.
    """
    rows = list(rows)
    columns = {}
    for name, kind, nullable in COLUMNS:
        if name == "image_id":
            values: list[Any] = list(range(len(rows)))
        else:
            values = [row.get(name) if nullable else row[name] for row in rows]
        columns[name] = pa.array(values, kind)
    more = {name: kind for name, kind in MORE.items() if any(name in row for row in rows)}
    columns |= {name: pa.array([row.get(name) for row in rows], kind) for name, kind in more.items()}
    fields = [pa.field(name, kind, nullable=nullable) for name, kind, nullable in COLUMNS]
    fields += [pa.field(name, kind) for name, kind in more.items()]
    table = pa.table(columns, schema=pa.schema(fields, {"about": json.dumps(about, sort_keys=True)}))
    check(table, "the new image table")
    return table


def check(table: pa.Table, name: str) -> None:
    """Raise UserError that names the column if the table breaks the contract."""
    for column, kind, nullable in COLUMNS:
        if column not in table.column_names:
            raise UserError(f"{name} has no column {column!r}; run `dvc repro` again to rebuild the index")
        found = table.schema.field(column).type
        if found != kind:
            raise UserError(f"{name}: column {column!r} is {found}, expected {kind}")
        if not nullable and table[column].null_count:
            raise UserError(f"{name}: column {column!r} has {table[column].null_count} nulls, expected none")
    if not np.array_equal(table["image_id"].to_numpy(), np.arange(len(table))):
        raise UserError(f"{name}: column 'image_id' must count 0..{len(table) - 1} in row order")
    unknown = set(table["split"].unique().to_pylist()) - set(SPLITS)
    if unknown:
        raise UserError(f"{name}: column 'split' holds {sorted(unknown)}, expected only {', '.join(SPLITS)}")
    if len(table) and min(table["pid"].to_pylist()) < JUNK:
        raise UserError(f"{name}: column 'pid' holds values below {JUNK}")


def write(table: pa.Table, path: Path) -> None:
    """Write the table as Parquet, whole or not at all."""
    with whole(path) as temporary:
        pq.write_table(table, temporary, compression="zstd", write_page_checksum=True)


def read(path: Path) -> pa.Table:
    """Read and check an image table. Raises UserError when the file is missing, damaged or breaks the contract."""
    if not path.is_file():
        raise UserError(f"no image table {path}; `{maker(path)}` makes it, for a data set of `datasets` in params.yaml")
    try:
        table = pq.read_table(path, page_checksum_verification=True)
        check(table, str(path))
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is damaged ({reason(error)}); delete it and run `dvc repro`") from error
    return table


def about(table: pa.Table) -> dict[str, Any]:
    """What the reader noted when it built the table (see `build`)."""
    return json.loads((table.schema.metadata or {}).get(b"about", b"{}"))


def select(table: pa.Table, *splits: str) -> pa.Table:
    """The rows of the named splits, in table order (image_id keeps the original row number)."""
    return table.filter(pa.compute.is_in(table["split"], pa.array(splits)))


def without_junk(table: pa.Table) -> pa.Table:
    """The rows that are somebody or a distractor, in table order."""
    return table.filter(pa.array(integers(table, "pid") > JUNK))


def integers(table: pa.Table, column: str) -> np.ndarray:
    """A column as int64 (N,), null as -1. For camid that means: an image without camera shares camera -1."""
    return table[column].fill_null(-1).to_numpy().astype(np.int64)


def called(table: pa.Table) -> list[str]:
    """What to call each image's person and camera: by their names where the reader noted them, else by number."""
    pairs = zip(persons(table), cameras(table), strict=True)
    return [f"{person} · {camera}" if camera else person for person, camera in pairs]


def persons(table: pa.Table) -> list[str]:
    """What to call each image's person, alike; -1 is "junk"."""
    names = {JUNK: "junk"} | dict(enumerate(about(table).get("persons", []), 1))
    return [names.get(pid, str(pid)) for pid in integers(table, "pid").tolist()]


def cameras(table: pa.Table) -> list[str]:
    """What to call each image's camera, alike; "" where there is none."""
    names = about(table).get("cameras", [])
    numbers = integers(table, "camid").tolist()
    return ["" if n < 0 else names[n] if n < len(names) else f"cam {n}" for n in numbers]
