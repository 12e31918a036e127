import cv2
import numpy as np
import pytest

import trees_clothes_video_cuhk as trees
from dataset_trees import image
from partreid.datasets import cuhk03 as reader
from partreid.errors import UserError
from partreid.storage import image_table

NEW = {"detected": reader.read_detected, "labeled": reader.read_labeled}
CLASSIC = {"detected": reader.read_classic_detected, "labeled": reader.read_classic_labeled}
KINDS = pytest.mark.parametrize("kind", NEW)


def kept(table, split):
    return [(row["path"], row["pid"], row["camid"]) for row in table.to_pylist() if row["split"] == split]


def test_new_protocol(tmp_path):
    table = reader.read_detected(trees.cuhk03(tmp_path))
    folder = "images_detected"
    # person 2 of pair 1, pairs 2 and 3, person 1 of pair 5 are tested: one image of each view asks
    assert kept(table, "query") == [
        (f"{folder}/1_002_1_01.png", 2, 0),
        (f"{folder}/1_002_2_06.png", 2, 1),
        (f"{folder}/2_001_1_01.png", 844, 0),
        (f"{folder}/2_001_2_06.png", 844, 1),
        (f"{folder}/4_001_1_01.png", 1361, 0),
        (f"{folder}/4_001_2_06.png", 1361, 1),
        (f"{folder}/5_001_1_01.png", 1419, 0),
        (f"{folder}/5_001_2_06.png", 1419, 1),
    ]
    assert kept(table, "gallery")[:3] == [
        (f"{folder}/1_002_1_02.png", 2, 0),
        (f"{folder}/1_002_2_07.png", 2, 1),
        (f"{folder}/2_001_1_02.png", 844, 0),
    ]
    assert {pid for _, pid, _ in kept(table, "train")} == {1, 1284, 1420}
    assert len(table) == len(trees.cuhk03_images("detected")) == 26
    assert len(reader.read_labeled(tmp_path)) == 25


@KINDS
def test_images_are_those_of_the_file(tmp_path, kind):
    root = trees.cuhk03(tmp_path)
    table = NEW[kind](root)
    for row in table.to_pylist():
        pixels = trees.cuhk03_images(kind)[row["path"].split("/")[1]]
        assert (row["height"], row["width"]) == pixels.shape[:2]
        assert np.array_equal(cv2.imread(str(root / row["path"])), pixels)


@KINDS
def test_classic_protocol(tmp_path, kind):
    root = trees.cuhk03(tmp_path)
    for split, tested in ((0, {1, 1420}), (19, {2, 1420})):
        table = CLASSIC[kind](root, split=split)
        about = image_table.about(table)
        assert about["split"] == split
        assert about["test_persons"] == sorted(tested)
        names = trees.cuhk03_images(kind)
        for part, camera in (("query", 0), ("gallery", 1)):
            assert {(pid, camid) for _, pid, camid in kept(table, part)} == {(pid, camera) for pid in tested}
        assert not {pid for _, pid, _ in kept(table, "train")} & tested
        assert sorted(path.split("/")[1] for path in table["path"].to_pylist()) == sorted(names)


def test_the_first_test_set_is_the_default(tmp_path):
    root = trees.cuhk03(tmp_path)
    assert reader.read_classic_labeled(root).equals(reader.read_classic_labeled(root, split=0), check_metadata=True)


@pytest.mark.parametrize("split", [-1, 20])
def test_there_is_no_other_test_set(tmp_path, split):
    root = trees.cuhk03(tmp_path)
    with pytest.raises(UserError, match=rf"CUHK03 has 20 test sets, 0 to 19; there is no split {split}"):
        reader.read_classic_detected(root, split=split)
    assert not (root / "images_detected").exists()


def test_one_person_has_no_labeled_image_in_view_1(tmp_path, monkeypatch):
    root = trees.cuhk03(tmp_path)
    monkeypatch.setattr(reader.cuhk03_mat, "testsets", lambda _: [[(1, 1), (3, 68)], [(1, 2)]])
    published = [image_table.about(CLASSIC["labeled"](root, split=split))["published"] for split in (0, 1)]
    assert [counts["query persons"] for counts in published] == [99, 100]
    assert image_table.about(CLASSIC["detected"](root))["published"]["query persons"] == 100


def test_a_classic_copy_that_lacks_images_is_named(tmp_path):
    warnings = image_table.about(reader.read_classic_detected(trees.cuhk03(tmp_path)))["warnings"]
    assert "this copy has 26 detected images, published 14097" in warnings


def test_the_tree_of_other_toolboxes(tmp_path):
    root = trees.cuhk03(tmp_path)
    expected = reader.read_detected(root)
    for name in ("images_detected", "cuhk03_new_protocol_config_detected.mat"):  # beside the release's folder
        (root / name).rename(tmp_path / name)
    assert reader.read_detected(tmp_path).drop(["sha1"]).equals(expected.drop(["sha1"]))
    assert not (root / "images_detected").exists()
    assert len(reader.read_classic_detected(tmp_path)) == len(trees.cuhk03_images("detected"))


def test_without_the_split_file_the_error_says_where_it_comes_from(tmp_path):
    root = trees.cuhk03(tmp_path)
    (root / "cuhk03_new_protocol_config_labeled.mat").unlink()
    with pytest.raises(UserError, match=r"(?s)^there is no cuhk03_new_protocol_config_labeled\.mat.*person-re-ranking"):
        reader.read_labeled(root)


def test_the_images_alone_do_for_the_new_protocol_only(tmp_path):
    root = trees.cuhk03(tmp_path)
    before = reader.read_detected(root)
    (root / "cuhk-03.mat").unlink()
    assert reader.read_detected(root).equals(before, check_metadata=True)
    with pytest.raises(UserError, match=r"there is no cuhk-03\.mat"):
        reader.read_classic_detected(root)
    with pytest.raises(UserError, match=r"neither cuhk-03\.mat nor images_labeled is there"):
        reader.read_labeled(root)


def test_images_and_split_that_do_not_match_are_named(tmp_path):
    root = trees.cuhk03(tmp_path)
    reader.read_detected(root)
    (root / "images_detected/1_001_1_01.png").unlink()
    (root / "images_detected/2_001_2_07.png").unlink()
    image(root / "images_detected/4_050_1_01.png")
    about = image_table.about(reader.read_detected(root))
    assert about["skipped"] == [
        ["images_detected/4_050_1_01.png", "cuhk03_new_protocol_config_detected.mat does not name it"]
    ]
    assert about["warnings"][-1] == (
        "images_detected lacks 2 images that cuhk03_new_protocol_config_detected.mat names; the first: 1_001_1_01.png"
    )


@KINDS
def test_the_new_protocol_as_folders(tmp_path, kind):
    table = NEW[kind](trees.cuhk03_np(tmp_path))
    rows = [tuple(row[name] for name in ("path", "split", "pid", "camid")) for row in table.to_pylist()]
    assert rows == [
        (f"{kind}/bounding_box_train/0003_c1_21.png", "train", 3, 0),
        (f"{kind}/bounding_box_train/0003_c2_22.png", "train", 3, 1),
        (f"{kind}/query/0001_c1_1.png", "query", 1, 0),
        (f"{kind}/bounding_box_test/0001_c1_2.png", "gallery", 1, 0),
        (f"{kind}/bounding_box_test/0001_c2_6.png", "gallery", 1, 1),
    ]
    assert image_table.about(table)["dataset"] == f"cuhk03_{kind}"
    outside = NEW[kind](tmp_path)
    assert outside["path"].to_pylist()[0] == f"cuhk03-np/{kind}/bounding_box_train/0003_c1_21.png"


def test_folders_that_are_not_all_there(tmp_path):
    root = trees.cuhk03_np(tmp_path)
    (root / "detected/query/0001_c1_1.png").unlink()
    (root / "detected/query").rmdir()
    with pytest.raises(UserError, match=r"incomplete: .* but detected/query is missing"):
        reader.read_detected(root)


def test_published_counts_agree_with_the_whole_set():
    for kind, published in reader.PUBLISHED.items():
        assert sum(published[f"{split} images"] for split in ("train", "query", "gallery")) == reader.IMAGES[kind]
        assert published["train persons"] + published["gallery persons"] == 1467
