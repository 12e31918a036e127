import trees_clothes_video_cuhk as trees
from partreid.datasets import vc_clothes as reader


def test_rows(tmp_path):
    table = reader.read(trees.vc_clothes(tmp_path))
    rows = [tuple(row[name] for name in ("path", "pid", "camid", "clothes_id", "frame")) for row in table.to_pylist()]
    assert rows == [
        ("train/0001-01-01-01.jpg", 1, 0, 1001, 1),
        ("train/0001-02-02-01.jpg", 1, 1, 1002, 1),
        ("train/0003-04-03-12.jpg", 3, 3, 3003, 12),
        ("query/0002-03-02-01.jpg", 2, 2, 2002, 1),
        ("query/0004-04-01-01.jpg", 4, 3, 4001, 1),
        ("gallery/0002-02-02-02.jpg", 2, 1, 2002, 2),
        ("gallery/0002-04-03-01.jpg", 2, 3, 2003, 1),
        ("gallery/0004-03-02-03.jpg", 4, 2, 4002, 3),
    ]
    assert table["split"].to_pylist() == ["train"] * 3 + ["query"] * 2 + ["gallery"] * 3


def test_numbers_without_leading_zeros_are_read_too(tmp_path):
    root = trees.vc_clothes(tmp_path)
    (root / "query/0002-03-02-01.jpg").rename(root / "query/2-3-2-1.jpg")
    row = reader.read(root).to_pylist()[4]
    assert (row["path"], row["pid"], row["camid"], row["clothes_id"]) == ("query/2-3-2-1.jpg", 2, 2, 2002)


def test_published_images_add_up_to_the_whole_set():
    assert sum(reader.PUBLISHED[f"{split} images"] for split in reader.FOLDERS) == 19060
    assert reader.PUBLISHED["train persons"] + reader.PUBLISHED["gallery persons"] == 512
