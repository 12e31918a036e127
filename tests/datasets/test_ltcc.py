import pytest

import trees_clothes_video_cuhk as trees
from partreid.datasets import ltcc as reader
from partreid.errors import UserError
from partreid.storage import image_table


def test_rows(tmp_path):
    table = reader.read(trees.ltcc(tmp_path))
    rows = [tuple(row[name] for name in ("path", "pid", "camid", "clothes_id", "frame")) for row in table.to_pylist()]
    assert rows == [
        ("train/000_1_c1_000001.png", 0, 0, 1, 1),
        ("train/000_2_c12_000017.png", 0, 11, 2, 17),
        ("train/062_1_c2_003301.png", 62, 1, 62001, 3301),
        ("query/094_1_c6_013427.png", 94, 5, 94001, 13427),
        ("query/144_1_c11_011239.png", 144, 10, 144001, 11239),
        ("test/094_1_c3_013430.png", 94, 2, 94001, 13430),
        ("test/094_2_c3_013500.png", 94, 2, 94002, 13500),
        ("test/144_1_c11_011240.png", 144, 10, 144001, 11240),
        ("test/144_1_c5_011300.png", 144, 4, 144001, 11300),
    ]
    assert table["split"].to_pylist() == ["train"] * 3 + ["query"] * 2 + ["gallery"] * 4


def test_person_0_of_train_is_a_person(tmp_path):
    assert image_table.about(reader.read(trees.ltcc(tmp_path)))["found"]["train persons"] == 2


def test_the_lists_are_kept(tmp_path):
    about = image_table.about(reader.read(trees.ltcc(tmp_path)))
    assert about["cloth_change"] == {"train": [0], "test": [94]}
    assert about["cloth_unchange"] == {"train": [62], "test": [144]}


def test_windows_line_ends_and_a_byte_order_mark_do_no_harm(tmp_path):
    root = trees.ltcc(tmp_path)
    (root / "info/cloth-change_id_test.txt").write_bytes(b"\xef\xbb\xbf94\r\n144\r\n\r\n")
    assert image_table.about(reader.read(root))["cloth_change"]["test"] == [94, 144]


def test_a_missing_list_is_named(tmp_path):
    root = trees.ltcc(tmp_path)
    (root / "info/cloth-unchange_id_train.txt").unlink()
    with pytest.raises(UserError, match=r"incomplete: .* lacks info/cloth-unchange_id_train\.txt\nexpected:"):
        reader.read(root)


def test_a_list_of_something_else_is_refused(tmp_path):
    root = trees.ltcc(tmp_path)
    (root / "info/cloth-change_id_test.txt").write_text("<html>sign in</html>")
    with pytest.raises(UserError, match=r"cloth-change_id_test\.txt holds '<html>sign', expected one person's number"):
        reader.read(root)


def test_published_images_add_up_to_the_whole_set():
    assert sum(reader.PUBLISHED[f"{split} images"] for split in reader.FOLDERS) == 17119
    assert reader.PUBLISHED["train persons"] + reader.PUBLISHED["gallery persons"] == 152
