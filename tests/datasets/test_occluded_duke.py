import trees_holistic as trees
from partreid.datasets import dukemtmc
from partreid.datasets import occluded_duke as reader


def test_all_queries_are_occluded_and_of_others_it_is_not_known(tmp_path):
    rows = reader.read(trees.occluded_duke(tmp_path)).to_pylist()
    queries = [row for row in rows if row["split"] == "query"]
    assert [(row["pid"], row["camid"], row["frame"]) for row in queries] == [
        (5, 1, 46985),
        (5, 1, 47225),
        (7129, 7, 126381),
    ]
    assert {row["occluded"] for row in queries} == {True}
    assert {row["occluded"] for row in rows if row["split"] != "query"} == {None}
    assert [row["split"] for row in rows] == ["train"] * 3 + ["query"] * 3 + ["gallery"] * 4


def test_it_divides_the_persons_of_duke():
    for name in ("train persons", "gallery images", "gallery persons"):
        assert reader.PUBLISHED[name] == dukemtmc.PUBLISHED[name]


def test_the_file_says_that_the_set_was_withdrawn():
    assert "**Withdrawn with its source**" in (reader.__doc__ or "")
