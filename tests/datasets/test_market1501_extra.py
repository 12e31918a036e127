import trees_holistic as trees
from partreid.datasets import market1501
from partreid.datasets import market1501_extra as reader
from partreid.storage import image_table


def rows(table, split):
    return image_table.select(table, split).to_pylist()


def test_boxes_are_a_split_of_their_own_after_an_unchanged_market(tmp_path):
    root = trees.market1501_multi_query(tmp_path)
    plain, table = market1501.read(root), reader.read_multi_query(root)
    assert table.slice(0, len(plain)).equals(plain)
    boxes = rows(table, "multi_query")
    assert len(boxes) + len(plain) == len(table)
    assert [row["path"] for row in boxes] == [f"gt_bbox/{name}" for name in sorted(trees.BOXES)]
    assert [(row["pid"], row["camid"], row["frame"]) for row in boxes] == [
        (1, 0, 1051),
        (1, 0, 1076),
        (2, 0, 451),
        (1488, 0, 23021),
    ]


def test_distractors_follow_the_gallery_and_only_they_lack_a_frame(tmp_path):
    root = trees.market1501_500k(tmp_path)
    plain, table = market1501.read(root), reader.read_500k(root)
    assert table.slice(0, len(plain)).equals(plain)
    added = table.slice(len(plain)).to_pylist()
    assert [row["path"] for row in added] == [f"images/{name}" for name in sorted(trees.DISTRACTORS)]
    assert {row["split"] for row in added} == {"gallery"}
    assert [row["pid"] for row in added] == [-1, 0, 0, 0]
    assert [row["camid"] for row in added] == [5, 0, 2, 2]
    assert all(row["frame"] is None for row in added)
    found = image_table.about(table)["found"]
    assert found["gallery images"] == 11
    assert found["gallery distractors"] == 4
    assert found["gallery junk"] == 3


def test_the_plain_set_does_not_look_at_what_was_added(tmp_path):
    plain = market1501.read(trees.market1501(tmp_path / "a"))
    for name in ("market1501_multi_query", "market1501_500k"):
        root = getattr(trees, name)(tmp_path / name)
        assert market1501.read(root)["path"].equals(plain["path"])
