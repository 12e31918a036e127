import pytest

import trees_clothes_video_cuhk as trees
from dataset_trees import image
from partreid.datasets import cuhk01 as reader
from partreid.errors import UserError
from partreid.storage import image_table

READERS = {486: reader.read_486, 100: reader.read_100}


@pytest.mark.parametrize("number", READERS)
def test_view_a_asks_and_view_b_is_the_gallery(tmp_path, number):
    table = READERS[number](trees.cuhk01(tmp_path), split=3)
    about = image_table.about(table)
    assert about["split"] == 3
    tested = about["test_persons"]
    assert len(tested) == number
    seen = set()
    for row in table.to_pylist():
        person, shot = int(row["path"][7:11]), int(row["path"][13])
        assert row["pid"] == person
        assert row["camid"] == (0 if shot <= 2 else 1)
        expected = "train" if person not in tested else "query" if shot <= 2 else "gallery"
        assert row["split"] == expected
        seen.add(row["split"])
    assert len(table) == 48
    assert {"train"} < seen


@pytest.mark.parametrize("number", READERS)
def test_splits_are_ten_and_differ_and_are_the_same_everywhere(number):
    tests = [reader.test_persons(number, split) for split in range(10)]
    for pids in tests:
        assert len(set(pids)) == number
        assert pids == sorted(pids)
        assert set(pids) <= set(range(1, 972))
    assert len({tuple(pids) for pids in tests}) == 10
    overlap = sum(len(set(tests[0]) & set(other)) for other in tests[1:]) / 9
    assert overlap == pytest.approx(number * number / 971, rel=0.2)  # as of random sets
    chosen = sum(pid in pids for pids in tests for pid in range(1, 486)) / (10 * number)
    assert chosen == pytest.approx(0.5, abs=0.05)  # no half of the persons is preferred


def test_these_splits_never_change():
    assert reader.test_persons(100, 0)[:5] == [16, 17, 18, 23, 31]
    assert set(reader.test_persons(100, 7)) < set(reader.test_persons(486, 7))


@pytest.mark.parametrize("split", [-1, 10])
def test_there_is_no_other_split(tmp_path, split):
    with pytest.raises(UserError, match=rf"CUHK01 has 10 splits, 0 to 9; there is no split {split}"):
        reader.read_486(trees.cuhk01(tmp_path), split=split)


def test_published_counts_are_those_of_3884_images():
    for number in READERS:
        published = reader.published(number)
        assert sum(published[f"{split} images"] for split in ("train", "query", "gallery")) == 3884
        assert published["train persons"] + published["query persons"] == 971


def test_persons_that_the_set_does_not_have(tmp_path):
    root = trees.cuhk01(tmp_path)
    image(root / "campus/0972001.png")
    image(root / "campus/0000001.png")
    table = reader.read_486(root)
    reason = "CUHK01 has the persons 0001 to 0971"
    assert image_table.about(table)["skipped"] == [["campus/0000001.png", reason], ["campus/0972001.png", reason]]


def test_the_whole_set_has_the_published_counts(tmp_path):
    campus = tmp_path / "CUHK01" / "campus"
    first = image(campus / "0001001.png", 2, 2)
    for person in range(1, 972):
        for number in range(1, 5):
            if (person, number) != (1, 1):
                (campus / f"{person:04d}{number:03d}.png").hardlink_to(first)
    for split, read in enumerate(READERS.values()):
        assert image_table.about(read(tmp_path, split=split))["warnings"] == []
