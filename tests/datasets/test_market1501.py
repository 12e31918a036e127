import hashlib

import pytest

from dataset_trees import MARKET, image, market1501
from partreid.datasets import market1501 as reader
from partreid.datasets import summary
from partreid.errors import UserError
from partreid.storage import image_table


def test_every_name_becomes_a_row_in_byte_order(tmp_path):
    table = reader.read(market1501(tmp_path))
    rows = table.to_pylist()
    expected = [f"{folder}/{name}" for folder in reader.FOLDERS.values() for name in sorted(MARKET[folder])]
    assert [row["path"] for row in rows] == expected
    assert [row["split"] for row in rows] == ["train"] * 3 + ["query"] * 3 + ["gallery"] * 7
    # junk and distractors keep their numbers, cameras count from 0, double endings are read
    assert [row["pid"] for row in rows] == [2, 2, 7, 1, 1, 1488, -1, -1, 0, 1, 1, 1488, 1488]
    assert [row["camid"] for row in rows] == [0, 5, 2, 0, 1, 0, 0, 3, 0, 0, 1, 0, 4]
    assert [row["frame"] for row in rows][:6] == [451, 451, 77419, 1051, 301, 23021]
    assert {(row["width"], row["height"]) for row in rows} == {(64, 128)}
    data = (tmp_path / "Market-1501-v15.09.15" / rows[0]["path"]).read_bytes()
    assert rows[0]["sha1"] == hashlib.sha1(data).hexdigest()
    assert all(row["clothes_id"] is None and row["tracklet_id"] is None for row in rows)


def test_counts_and_what_is_no_image(tmp_path):
    about = image_table.about(reader.read(market1501(tmp_path)))
    assert about["found"] == {
        "train images": 3,
        "train persons": 2,
        "train images per camera": [1, 0, 1, 0, 0, 1],
        "query images": 3,
        "query persons": 2,
        "query images per camera": [2, 1],
        "gallery images": 7,
        "gallery persons": 2,  # neither junk nor distractors
        "gallery images per camera": [4, 1, 0, 1, 1],
        "gallery distractors": 1,
        "gallery junk": 2,
    }
    assert about["ignored"] == {".db": 3}
    assert about["skipped"] == []


def test_a_part_of_the_set_is_called_incomplete_and_read_all_the_same(tmp_path):
    table = reader.read(market1501(tmp_path))
    warnings = image_table.about(table)["warnings"]
    assert "this copy is incomplete or altered: train images: found 3, published 12936" in warnings
    assert len(warnings) == len(reader.PUBLISHED)
    text, differing = summary.comparison(table)
    assert differing == len(reader.PUBLISHED)
    assert "DIFFERS" in text


def test_published_counts_agree_with_one_another():
    for split in reader.FOLDERS:
        assert sum(reader.PUBLISHED[f"{split} images per camera"]) == reader.PUBLISHED[f"{split} images"]


def test_no_warning_when_all_counts_are_right(tmp_path, monkeypatch):
    root = market1501(tmp_path)
    monkeypatch.setattr(reader, "PUBLISHED", image_table.about(reader.read(root))["found"])
    table = reader.read(root)
    assert image_table.about(table)["warnings"] == []
    assert summary.comparison(table)[1] == 0


def test_the_folder_that_holds_the_set_will_do(tmp_path):
    inside = reader.read(market1501(tmp_path))
    outside = reader.read(tmp_path)
    prefixed = [f"Market-1501-v15.09.15/{path}" for path in inside["path"].to_pylist()]
    assert outside["path"].to_pylist() == prefixed
    assert outside.drop(["path"]).equals(inside.drop(["path"]))


def test_wrong_root_shows_the_expected_tree_and_what_is_there(tmp_path):
    (tmp_path / "holidays").mkdir()
    image(tmp_path / "a.jpg")
    with pytest.raises(UserError) as caught:
        reader.read(tmp_path)
    message = str(caught.value)
    assert "bounding_box_train/" in message
    assert "12,936 images" in message
    assert "  holidays/\n" in message
    assert "  a.jpg\n" in message
    assert "params.yaml" in message


def test_no_root_at_all(tmp_path):
    with pytest.raises(UserError, match=r"no such folder: .*nowhere"):
        reader.read(tmp_path / "nowhere")


def test_a_missing_folder_is_named(tmp_path):
    root = market1501(tmp_path)
    for file in (root / "query").iterdir():
        file.unlink()
    (root / "query").rmdir()
    with pytest.raises(
        UserError, match=r"incomplete: .* has bounding_box_train, bounding_box_test, but query is missing"
    ):
        reader.read(root)


def test_folders_without_images_are_an_error(tmp_path):
    for folder in reader.FOLDERS.values():
        (tmp_path / folder).mkdir()
    with pytest.raises(UserError, match="hold no image"):
        reader.read(tmp_path)


@pytest.mark.parametrize(
    "name",
    ["0002_c7s1_000451_03.jpg", "2_c1s1_000451_03.jpg", "0002_c1s1_000451_03.png", "-2_c1s1_000451_03.jpg", "x.jpg"],
)
def test_misnamed_images_are_named_and_left_out(tmp_path, name):
    root = market1501(tmp_path)
    image(root / "query" / name)
    table = reader.read(root)
    assert image_table.about(table)["skipped"] == [[f"query/{name}", "the name is not like 0002_c1s1_000451_03.jpg"]]
    assert len(table) == 13


def test_unreadable_images_are_named_and_left_out(tmp_path):
    root = market1501(tmp_path)
    train = root / "bounding_box_train"
    (train / MARKET["bounding_box_train"][0]).write_bytes(b"")
    (train / MARKET["bounding_box_train"][1]).write_bytes(b"not a picture")
    cut = root / "query" / MARKET["query"][0]
    cut.write_bytes(cut.read_bytes()[:300])
    (train / "._0002_c1s1_000451_03.jpg").write_bytes(b"Mac OS X")  # macOS leaves these on foreign disks
    table = reader.read(root)
    about = image_table.about(table)
    assert about["skipped"] == [
        [f"bounding_box_train/{MARKET['bounding_box_train'][0]}", "the file is empty"],
        [f"bounding_box_train/{MARKET['bounding_box_train'][1]}", "not an image, or damaged"],
        [f"query/{MARKET['query'][0]}", "not an image, or damaged"],
    ]
    assert about["ignored"] == {".db": 3, "hidden": 1}
    assert len(table) == 10
    assert table["image_id"].to_pylist() == list(range(10))
    assert about["found"]["train images"] == 1


def test_the_same_images_give_the_same_bytes(tmp_path):
    first, second = tmp_path / "1.parquet", tmp_path / "2.parquet"
    image_table.write(reader.read(market1501(tmp_path / "a")), first)
    root = tmp_path / "b" / "Market-1501-v15.09.15"
    for folder, names in MARKET.items():  # written in another order, at another place and time
        for name in reversed(names):
            (root / folder).mkdir(parents=True, exist_ok=True)
            source = tmp_path / "a" / "Market-1501-v15.09.15" / folder / name
            (root / folder / name).write_bytes(source.read_bytes())
        (root / folder / "Thumbs.db").write_bytes(b"other")
    image_table.write(reader.read(root), second)
    assert first.read_bytes() == second.read_bytes()
    assert image_table.read(first).num_rows == 13
