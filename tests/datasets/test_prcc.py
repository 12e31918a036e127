import trees_clothes_video_cuhk as trees
from dataset_trees import image
from partreid.datasets import prcc as reader
from partreid.evaluation.rules import ids, market_rule
from partreid.storage import image_table


def test_rows(tmp_path):
    table = reader.read(trees.prcc(tmp_path))
    rows = [tuple(row[name] for name in ("path", "pid", "camid", "clothes_id", "frame")) for row in table.to_pylist()]
    assert rows == [
        ("rgb/train/001/A_cropped_rgb001.jpg", 1, 0, 2, 1),
        ("rgb/train/001/A_cropped_rgb1011.jpg", 1, 0, 2, 1011),
        ("rgb/train/001/B_cropped_rgb003.jpg", 1, 1, 2, 3),
        ("rgb/train/001/C_cropped_rgb002.jpg", 1, 2, 3, 2),
        ("rgb/train/328/A_cropped_rgb004.jpg", 328, 0, 656, 4),
        ("rgb/val/001/A_cropped_rgb007.jpg", 1, 0, 2, 7),
        ("rgb/val/001/C_cropped_rgb009.jpg", 1, 2, 3, 9),
        ("rgb/test/B/005/cropped_rgb002.jpg", 5, 1, 10, 2),
        ("rgb/test/B/090/cropped_rgb001.jpg", 90, 1, 180, 1),
        ("rgb/test/C/005/cropped_rgb001.jpg", 5, 2, 11, 1),
        ("rgb/test/C/005/cropped_rgb003.jpg", 5, 2, 11, 3),
        ("rgb/test/C/090/cropped_rgb004.jpg", 90, 2, 181, 4),
        ("rgb/test/A/005/cropped_rgb001.jpg", 5, 0, 10, 1),
        ("rgb/test/A/005/cropped_rgb010.jpg", 5, 0, 10, 10),
        ("rgb/test/A/090/cropped_rgb001.jpg", 90, 0, 180, 1),
    ]
    assert table["split"].to_pylist() == ["train"] * 5 + ["val"] * 2 + ["query"] * 5 + ["gallery"] * 3


def test_b_and_a_share_clothes_and_c_does_not(tmp_path):
    rows = reader.read(trees.prcc(tmp_path)).to_pylist()
    worn = {}
    for row in rows:
        worn.setdefault((row["pid"], "ABC"[row["camid"]]), set()).add(row["clothes_id"])
    assert worn[5, "A"] == worn[5, "B"] != worn[5, "C"]
    assert len(set.union(*worn.values())) == 7  # two outfits of four persons, but 328 was not seen by C


def test_the_market_rule_removes_nothing(tmp_path):
    table = reader.read(trees.prcc(tmp_path))
    query, gallery = ids(image_table.select(table, "query")), ids(image_table.select(table, "gallery"))
    _, ignored = market_rule(query.at((slice(None), None)), gallery.at((None, slice(None))))
    assert not ignored.any()


def test_counts(tmp_path):
    about = image_table.about(reader.read(trees.prcc(tmp_path)))
    assert about["found"]["query images per camera"] == [0, 2, 3]
    assert about["found"]["gallery images per camera"] == [3]
    assert about["found"]["val persons"] == 1


def test_published_counts_add_up_to_the_whole_set():
    published = reader.PUBLISHED
    assert sum(published[f"{split} images"] for split in ("train", "val", "query", "gallery")) == 33698
    assert published["train persons"] + published["gallery persons"] == 221


def test_a_folder_that_is_no_person(tmp_path):
    root = trees.prcc(tmp_path)
    image(root / "rgb/val/new folder/A_cropped_rgb001.jpg")
    image(root / "rgb/val/A_cropped_rgb001.jpg")
    table = reader.read(root)
    assert image_table.about(table)["skipped"] == [
        ["rgb/val/A_cropped_rgb001.jpg", "lies in no person's folder"],
        ["rgb/val/new folder/A_cropped_rgb001.jpg", "the person's folder is not named by a number"],
    ]
    assert len(table) == 15
