import numpy as np
import pytest

from partreid.errors import UserError
from partreid.storage import cache, chunks, image_table, pieces
from partreid.storage.cache import Cache
from partreid.storage.files import sha256

STATUS = np.array([0, 0, 1, 2, 0], np.uint8)


def row(number: int) -> dict:
    return {"path": f"{number}.jpg", "split": "train", "pid": number, "width": 4, "height": 8, "sha1": "0"}


@pytest.fixture
def table(tmp_path):
    image_table.write(image_table.build(map(row, range(5)), {}), tmp_path / "table.parquet")
    return tmp_path / "table.parquet"


@pytest.fixture
def file(tmp_path, table, monkeypatch):
    monkeypatch.chdir(tmp_path)
    head = cache.header("label/thing", "eye", "3", None, {"size": 2}, sha256(table))

    def work(start, stop):
        return {"status": STATUS[start:stop], "value": np.arange(start, stop) * 10}

    pieces.write(tmp_path / "thing.npz", head, work, 5, processes=1)
    return tmp_path / "thing.npz"


def test_rows_come_by_image_id_in_the_order_asked(file, table):
    opened = Cache(file, "label/thing", table)
    np.testing.assert_array_equal(opened.status, STATUS)
    np.testing.assert_array_equal(opened.rows("value", np.array([4, 0, 4])), [40, 0, 40])
    with pytest.raises(UserError, match=r"0\.\.4, not 5"):
        opened.rows("value", np.array([5]))


def test_the_header_says_what_was_done(file, table):
    head = Cache(file, "label/thing", table).header
    assert (head["tool"], head["tool_version"], head["parameters"]) == ("eye", "3", {"size": 2})
    assert (head["images"], head["ok"], head["missing"], head["failed"]) == (5, 3, 1, 1)
    derived = cache.label_header("other", head, {"sigma": 1})
    assert (derived["kind"], derived["tool"], derived["tool_parameters"]) == ("label/other", "eye", {"size": 2})


def test_a_cache_of_another_table_is_refused_with_the_reason(file, table):
    image_table.write(image_table.build(map(row, range(1, 6)), {}), table)
    with pytest.raises(UserError, match=r"thing\.npz: header has table .* made for another .*table\.parquet"):
        Cache(file, "label/thing", table)


def test_another_kind_is_refused(file, table):
    with pytest.raises(UserError, match="expected 'label/heads'"):
        Cache(file, "label/heads", table)


def test_another_schema_is_refused(file, table):
    head = {**chunks.Reader(file).header, "schema": 0}
    chunks.write(file, head, [{"status": STATUS}])
    with pytest.raises(UserError, match="schema = 0, expected 1"):
        Cache(file, "label/thing", table)


def test_a_cache_that_lost_rows_is_refused(file, table):
    chunks.write(file, chunks.Reader(file).header, [{"status": STATUS[:3]}])
    with pytest.raises(UserError, match="images = 5, expected 3"):
        Cache(file, "label/thing", table)


def test_a_missing_cache_is_named(tmp_path, table):
    with pytest.raises(UserError, match=r"no file .*heads\.npz"):
        Cache(tmp_path / "heads.npz", "label/heads", table)


@pytest.mark.parametrize("left", [200, 0, None])
def test_a_damaged_cache_is_refused_by_name(file, table, left):
    file.write_bytes(b"hello" if left is None else file.read_bytes()[:left])
    with pytest.raises(UserError, match=r"thing\.npz"):
        Cache(file, "label/thing", table)


def test_damage_inside_a_member_is_refused_by_name(file, table):
    data = bytearray(file.read_bytes())
    at = data.index(b"value_00000.npy") + 200  # in the member's compressed bytes
    data[at - 150 : at - 130] = bytes(20)
    file.write_bytes(data)
    with pytest.raises(UserError, match=r"thing\.npz.*value_00000"):
        Cache(file, "label/thing", table).rows("value", np.array([0]))
