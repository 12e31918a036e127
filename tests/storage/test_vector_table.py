"""Embeddings as Parquet with lists of fixed length."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from partreid.errors import UserError
from partreid.storage import vector_table
from partreid.storage.embeddings import Stored

N, P, D = 2050, 3, 4
HEADER = {"model": "bpbreid", "distance": "parts", "root": "photos"}


@pytest.fixture
def content():
    random = np.random.default_rng(0)
    features = random.standard_normal((N, P, D)).astype(np.float32)
    return {
        "image_id": np.arange(N)[::-1] + 7,
        "features": features,
        "visibility": (random.random((N, P)) > 0.5).astype(np.float32),
    }


@pytest.fixture
def file(tmp_path, content):
    about = pa.table(
        {
            "path": [f"{row}.jpg" for row in range(N)],
            "split": ["gallery"] * N,
            "pid": pa.array([None, *range(1, N)], pa.int32()),
            "camid": pa.nulls(N),
        }
    )
    parts = ({name: value[start : start + 1024] for name, value in content.items()} for start in range(0, N, 1024))
    vector_table.write(tmp_path / "a.parquet", HEADER, about, parts)
    return tmp_path / "a.parquet"


def test_any_reader_of_parquet_sees_rows_with_lists_of_one_length(file, content):
    table = pq.read_table(file)
    assert table.schema.field("features").type == pa.list_(pa.float32(), P * D)
    assert table.schema.field("visibility").type == pa.list_(pa.float32(), P)
    assert table.column_names == ["image_id", "path", "split", "pid", "camid", "features", "visibility"]
    assert table["pid"][0].as_py() is None
    assert table["path"][5].as_py() == "5.jpg"
    found = np.stack(table["features"].to_pylist())
    np.testing.assert_array_equal(found, content["features"].reshape(N, -1))
    assert json.loads(table.schema.metadata[b"header"]) == {**HEADER, "shape": [P, D]}


def test_it_is_read_as_embeddings_by_image_id(file, content):
    stored = Stored(file)
    np.testing.assert_array_equal(stored.image_id, content["image_id"])
    rows = np.array([2049, 0, 1024, 5, 1023, 5])
    found = stored.of(content["image_id"][rows])
    np.testing.assert_array_equal(found.features, content["features"][rows])
    np.testing.assert_array_equal(found.visibility, content["visibility"][rows])
    assert stored.size(10) == 10 * P * D * 4
    assert stored.about()["path"].to_pylist()[:2] == ["0.jpg", "1.jpg"]
    with pytest.raises(UserError, match="1 images have no embedding"):
        stored.of(np.array([3]))


def everything(file):
    stored = Stored(file)
    return stored.of(stored.image_id)


def test_damage_and_other_parquet_are_one_message(file, tmp_path):
    data = bytearray(file.read_bytes())
    pq.write_table(pa.table({"x": [1]}), tmp_path / "b.parquet")
    with pytest.raises(UserError, match=r"b\.parquet is damaged, or not Parquet that stages/vectors\.py wrote"):
        Stored(tmp_path / "b.parquet")
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    with pytest.raises(UserError, match=r"a\.parquet is damaged"):
        everything(file)
    file.write_bytes(data[:100])
    with pytest.raises(UserError, match=r"a\.parquet is damaged"):
        Stored(file)


def test_two_files_that_were_put_together_have_to_be_numbered_anew(file, tmp_path, content):
    table = pq.read_table(file)
    both = pa.concat_tables([table, table])
    pq.write_table(both, tmp_path / "both.parquet")
    with pytest.raises(UserError, match=r"both\.parquet: image_id 7 stands there twice; number the rows anew"):
        Stored(tmp_path / "both.parquet")
    pq.write_table(both.set_column(0, "image_id", pa.array(range(2 * N), pa.int32())), tmp_path / "both.parquet")
    found = Stored(tmp_path / "both.parquet").of(np.array([N + 3, 3]))
    np.testing.assert_array_equal(found.features, content["features"][[3, 3]])
