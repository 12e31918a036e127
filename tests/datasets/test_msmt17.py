import pytest

import trees_holistic as trees
from partreid.datasets import msmt17 as reader
from partreid.errors import UserError
from partreid.storage import image_table

VERSIONS = {"msmt17_v1": reader.read_v1, "msmt17_v2": reader.read_v2}


@pytest.mark.parametrize("version", VERSIONS)
def test_the_lists_are_read_and_persons_of_train_and_test_differ(tmp_path, version):
    table = VERSIONS[version](getattr(trees, version)(tmp_path))
    train, test = reader.FOLDERS[version]
    rows = [tuple(row[name] for name in ("split", "path", "pid", "camid", "frame")) for row in table.to_pylist()]
    assert rows == [
        ("train", f"{train}/0000/0000_000_01_0303morning_0008_0.jpg", 0, 0, 8),
        ("train", f"{train}/0000/0000_001_14_0114noon_0027_1_ex.jpg", 0, 13, 27),
        ("train", f"{train}/1040/1040_000_05_0113afternoon_1234_12.jpg", 1040, 4, 1234),
        ("val", f"{train}/0000/0000_002_15_0302noon_0100_2.jpg", 0, 14, 100),
        ("query", f"{test}/0000/0000_000_01_0303morning_0008_0.jpg", 1041, 0, 8),
        ("query", f"{test}/3059/3059_004_09_0113noon_0400_0.jpg", 4100, 8, 400),
        ("gallery", f"{test}/0000/0000_001_02_0303morning_0015_0.jpg", 1041, 1, 15),
        ("gallery", f"{test}/0001/0001_000_01_0303morning_0020_1.jpg", 1042, 0, 20),
        ("gallery", f"{test}/3059/3059_005_10_0113noon_0420_0_ex.jpg", 4100, 9, 420),
    ]


def test_pid_0_is_a_person(tmp_path):
    found = image_table.about(reader.read_v1(trees.msmt17_v1(tmp_path)))["found"]
    assert found["train persons"] == 2
    assert found["val persons"] == 1
    assert found["gallery persons"] == 3
    assert "gallery distractors" not in found


def test_a_missing_list_is_named(tmp_path):
    root = trees.msmt17_v1(tmp_path)
    (root / "list_val.txt").unlink()
    (root / "list_query.txt").unlink()
    with pytest.raises(UserError, match=r"incomplete: .* lacks list_val\.txt, list_query\.txt\nexpected:"):
        reader.read_v1(root)


def test_version_2_is_not_version_1(tmp_path):
    root = trees.msmt17_v2(tmp_path)
    with pytest.raises(UserError) as caught:
        reader.read_v1(root)
    assert str(caught.value).startswith("this is not MSMT17_V1\n")
    assert "  mask_test_v2/\n" in str(caught.value)


@pytest.mark.parametrize(
    "line",
    [
        "0000/0000_000_16_0303morning_0008_0.jpg 0",  # there are 15 cameras
        "0000/0000_000_00_0303morning_0008_0.jpg 0",
        "0000/0000_000_01_0303morning_0008_0.jpg",
        "../test/0000_000_01_0303morning_0008_0.jpg 0",
        "0000/0000_000_01_0303morning_0008_0.jpg 1041",  # would be the first person of the test
    ],
)
def test_odd_lines_are_named_and_left_out(tmp_path, line):
    root = trees.msmt17_v1(tmp_path)
    file = root / "list_train.txt"
    file.write_text(f"{line}\n\n" + file.read_text())
    table = reader.read_v1(root)
    assert len(table) == 9
    ((where, reason),) = image_table.about(table)["skipped"]
    assert where == "list_train.txt line 1"
    assert reason == f"not like {reader.EXAMPLE}: {line}"


def test_windows_line_ends_and_a_byte_order_mark_do_no_harm(tmp_path):
    root = trees.msmt17_v1(tmp_path)
    before = reader.read_v1(root)
    for name in trees.MSMT_LISTS:
        file = root / name
        file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b"\r\n"))
    assert reader.read_v1(root).equals(before, check_metadata=True)


def test_listed_images_that_are_not_there_are_named(tmp_path):
    root = trees.msmt17_v1(tmp_path)
    lost = "test/0000/0000_001_02_0303morning_0015_0.jpg"
    (root / lost).unlink()
    about = image_table.about(reader.read_v1(root))
    assert about["skipped"] == [[lost, "cannot be read: No such file or directory"]]
    assert about["found"]["gallery images"] == 2


def test_published_counts_add_up_to_the_whole_set():
    assert sum(reader.PUBLISHED[f"{split} images"] for split in reader.LISTS) == 126441
    assert reader.PUBLISHED["query images"] + reader.PUBLISHED["gallery images"] == 93820
