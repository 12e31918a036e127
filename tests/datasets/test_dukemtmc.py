import trees_holistic as trees
from partreid.datasets import dukemtmc as reader
from partreid.storage import image_table


def test_every_name_becomes_a_row(tmp_path):
    table = reader.read(trees.dukemtmc(tmp_path))
    rows = table.to_pylist()
    expected = [f"{folder}/{name}" for folder in reader.FOLDERS.values() for name in sorted(trees.DUKE[folder])]
    assert [row["path"] for row in rows] == expected
    assert [row["split"] for row in rows] == ["train"] * 3 + ["query"] * 3 + ["gallery"] * 4
    assert [row["pid"] for row in rows] == [1, 1, 7, 5, 5, 7129, 3, 5, 5, 7129]
    assert [row["camid"] for row in rows] == [1, 4, 7, 1, 4, 7, 0, 1, 4, 0]
    assert [row["frame"] for row in rows][:3] == [46182, 53381, 1]
    assert (rows[1]["width"], rows[1]["height"]) == (41, 92)
    assert all(row["occluded"] is None for row in rows)


def test_counts_have_neither_junk_nor_distractors(tmp_path):
    about = image_table.about(reader.read(trees.dukemtmc(tmp_path)))
    assert about["found"]["gallery persons"] == 3
    assert about["found"]["query images per camera"] == [0, 1, 0, 0, 1, 0, 0, 1]
    assert not {"gallery junk", "gallery distractors"} & set(about["found"])


def test_published_counts_add_up_to_the_whole_set():
    assert sum(reader.PUBLISHED[f"{split} images"] for split in reader.FOLDERS) == 36411
    assert reader.PUBLISHED["train persons"] + reader.PUBLISHED["gallery persons"] == 1812


def test_the_file_says_that_the_set_was_withdrawn():
    assert "**Withdrawn.**" in (reader.__doc__ or "")
    assert "neither ships the images nor fetches them" in (reader.__doc__ or "")
