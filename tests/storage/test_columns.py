from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from partreid.errors import UserError
from partreid.storage import columns


def pieces():
    rng = np.random.default_rng(0)
    for n in (5, 5, 2):
        yield {
            "status": rng.integers(0, 3, n).astype(np.uint8),
            "score": rng.random(n, np.float32),
            "keypoints": rng.random((n, 17, 3), np.float32),
        }


@pytest.fixture
def file(tmp_path):
    columns.write(tmp_path / "a.parquet", {"kind": "label/poses", "centres": [1.5]}, pieces())
    return tmp_path / "a.parquet"


def test_what_is_written_is_read(file):
    reader = columns.Reader(file)
    assert reader.header == {"kind": "label/poses", "centres": [1.5]}
    for name in ("status", "score", "keypoints"):
        whole = np.concatenate([piece[name] for piece in pieces()])
        np.testing.assert_array_equal(reader.all(name), whole)
        np.testing.assert_array_equal(reader.rows(name, np.array([11, 0, 0])), whole[[11, 0, 0]])
        assert reader.all(name).dtype == whole.dtype


def test_other_programs_see_plain_columns(file):
    table = pq.read_table(file)
    assert table.column_names == ["image_id", "status", "score", "keypoints"]
    assert table["image_id"].to_pylist() == list(range(12))
    assert len(table["keypoints"][0].as_py()) == 51


def test_the_same_content_gives_the_same_bytes(file, tmp_path):
    columns.write(tmp_path / "b.parquet", {"centres": [1.5], "kind": "label/poses"}, pieces())
    assert (tmp_path / "b.parquet").read_bytes() == file.read_bytes()


def test_a_failure_leaves_no_file(tmp_path):
    def broken():
        yield from pieces()
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        columns.write(tmp_path / "c.parquet", {}, broken())
    assert list(tmp_path.iterdir()) == []


def test_damage_is_named(file):
    data = bytearray(file.read_bytes())
    data[len(data) // 3] ^= 255
    file.write_bytes(data)
    with pytest.raises(UserError, match=r"a\.parquet is damaged"):
        columns.Reader(file)
    with pytest.raises(UserError, match=r"no file .*; `dvc repro data/dvc\.yaml:heads@d` makes it"):
        columns.Reader(Path("data/labels/heads/d.parquet"))


def test_a_missing_column_is_named(file):
    with pytest.raises(UserError, match="no column 'cluster'"):
        columns.Reader(file).all("cluster")
