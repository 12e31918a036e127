import pytest

import trees_holistic as trees
from dataset_trees import image
from partreid.datasets import p_dukemtmc as reader
from partreid.evaluation.rules import ids, market_rule
from partreid.storage import image_table


def test_camera_is_the_kind_of_image_and_not_the_camera_of_the_name(tmp_path):
    table = reader.read(trees.p_dukemtmc(tmp_path))
    rows = table.to_pylist()
    assert [(row["split"], row["pid"], row["camid"], row["occluded"]) for row in rows] == [
        ("train", 1, 0, True),
        ("train", 7, 0, True),
        ("train", 1, 1, False),
        ("train", 1, 1, False),
        ("train", 7, 1, False),
        ("query", 5, 0, True),
        ("query", 7129, 0, True),
        ("gallery", 5, 1, False),
        ("gallery", 5, 1, False),
        ("gallery", 7129, 1, False),
    ]
    assert rows[5]["path"] == "test/occluded_body_images/0005/0005_c2_f0046985.jpg"
    assert rows[5]["frame"] == 46985


def test_the_market_rule_removes_nothing(tmp_path):
    table = reader.read(trees.p_dukemtmc(tmp_path))
    query, gallery = ids(image_table.select(table, "query")), ids(image_table.select(table, "gallery"))
    match, ignored = market_rule(query.at((slice(None), None)), gallery.at((None, slice(None))))
    assert not ignored.any()
    assert match.tolist() == [[True, True, False], [False, False, True]]


def test_split_sizes_from_memory_are_owned_up_to_where_they_differ(tmp_path, monkeypatch):
    root = trees.p_dukemtmc(tmp_path)
    about = image_table.about(reader.read(root))
    assert about["warnings"][-1] == reader.UNSURE
    monkeypatch.setattr(reader, "PUBLISHED", about["found"])
    assert image_table.about(reader.read(root))["warnings"] == []


def test_published_counts_add_up_to_the_whole_set():
    published = reader.PUBLISHED
    assert sum(published[f"{split} images"] for split in ("train", "query", "gallery")) == 24143
    assert published["train persons"] + published["gallery persons"] == 1299


def test_images_outside_a_person_s_folder_and_hidden_ones_are_left_out(tmp_path):
    root = trees.p_dukemtmc(tmp_path)
    image(root / "train/whole_body_images/0001_c2_f0046302.jpg")
    image(root / "train/whole_body_images/.thumbnails/0001_c2_f0046302.jpg")
    table = reader.read(root)
    assert len(table) == 10
    stray = "train/whole_body_images/0001_c2_f0046302.jpg"
    assert image_table.about(table)["skipped"] == [[stray, "lies in no person's folder"]]


def test_the_file_says_that_the_set_was_withdrawn():
    assert "**Withdrawn with its source**" in (reader.__doc__ or "")


@pytest.mark.parametrize("name", ["P-DukeMTMC-reid", "P-DukeMTMC-reID", "p-dukemtmc-reid"])
def test_the_folder_that_holds_the_set_is_found_in_any_case(tmp_path, name):
    made = trees.p_dukemtmc(tmp_path / "made")
    (tmp_path / "raw").mkdir()
    made.rename(tmp_path / "raw" / name)
    assert len(reader.read(tmp_path / "raw")) == len(reader.read(tmp_path / "raw" / name)) == 10
