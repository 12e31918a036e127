import trees_holistic as trees
from partreid.datasets import occluded_reid as reader
from partreid.evaluation.rules import ids, market_rule
from partreid.storage import image_table


def test_occluded_images_ask_and_whole_ones_are_the_gallery(tmp_path):
    table = reader.read(trees.occluded_reid(tmp_path))
    rows = table.to_pylist()
    assert [row["split"] for row in rows] == ["query"] * 10 + ["gallery"] * 10
    assert rows[0]["path"] == "occluded_body_images/001/001_01.tif"
    assert rows[19]["path"] == "whole_body_images/200/200_05.tif"
    assert [row["pid"] for row in rows] == ([1] * 5 + [200] * 5) * 2
    assert [row["occluded"] for row in rows] == [True] * 10 + [False] * 10
    assert {(row["width"], row["height"]) for row in rows} == {(64, 128)}
    assert all(row["frame"] is None for row in rows)


def test_the_market_rule_removes_nothing(tmp_path):
    table = reader.read(trees.occluded_reid(tmp_path))
    query, gallery = ids(image_table.select(table, "query")), ids(image_table.select(table, "gallery"))
    match, ignored = market_rule(query.at((slice(None), None)), gallery.at((None, slice(None))))
    assert not ignored.any()
    assert match.sum(1).tolist() == [5] * 10
