import trees_clothes_video_cuhk as trees
from partreid.datasets import celeb_reid as reader
from partreid.evaluation.rules import ids, market_rule
from partreid.storage import image_table


def test_only_persons_are_known(tmp_path):
    table = reader.read(trees.celeb_reid(tmp_path))
    assert [(row["path"], row["split"], row["pid"]) for row in table.to_pylist()] == [
        ("train/1_1_0.jpg", "train", 1),
        ("train/1_22_0.jpg", "train", 1),
        ("train/632_3_0.jpg", "train", 632),
        ("query/633_2_0.jpg", "query", 633),
        ("gallery/1052_1_0.jpg", "gallery", 1052),
        ("gallery/633_10_0.jpg", "gallery", 633),
        ("gallery/633_1_0.jpg", "gallery", 633),
    ]
    for column in ("camid", "clothes_id", "tracklet_id", "frame", "occluded"):
        assert table[column].null_count == len(table)


def test_the_market_rule_removes_nothing(tmp_path):
    table = reader.read(trees.celeb_reid(tmp_path))
    query, gallery = ids(image_table.select(table, "query")), ids(image_table.select(table, "gallery"))
    match, ignored = market_rule(query.at((slice(None), None)), gallery.at((None, slice(None))))
    assert match.tolist() == [[False, True, True]]
    assert not ignored.any()


def test_light_is_compared_with_its_own_counts(tmp_path):
    table = reader.read_light(trees.celeb_reid_light(tmp_path))
    about = image_table.about(table)
    assert about["published"] == reader.PUBLISHED_LIGHT
    assert "this copy is incomplete or altered: train images: found 3, published 9021" in about["warnings"]
    assert "9,021 images" in reader.TREE.format(archive="", train=9021, query=0, gallery=0)
