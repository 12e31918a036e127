import numpy as np
import pytest

from partreid.errors import UserError
from partreid.inspection import choice

SPLIT = np.array(["train"] * 6 + ["query"] * 4)
STATUS = np.array([0, 1, 0, 2, 0, 0, 1, 0, 0, 0], np.uint8)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("3", [3]), ("3,1,2-4", [1, 2, 3, 4]), (" 7 - 9 , 0", [0, 7, 8, 9]), ("5-5", [5])],
)
def test_ids_are_numbers_and_ranges(text, expected):
    assert choice.parse_ids(text, 10).tolist() == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x", "'x'"),
        ("", "''"),
        ("1,,2", "''"),
        ("-3", "'-3'"),
        ("4-2", "4-2"),
        ("3,10", "no image 10"),
        ("8-99", "0..9"),
    ],
)
def test_other_ids_are_refused(text, words):
    with pytest.raises(UserError, match="--ids") as error:
        choice.parse_ids(text, 10)
    assert words in str(error.value)


def test_ids_and_split_are_both_asked():
    rows, words = choice.candidates(SPLIT, ids="4-7", wanted_split="query")
    assert rows.tolist() == [6, 7]
    assert words == ["ids 4-7", "split query"]
    with pytest.raises(UserError, match="no image matches ids 0-2 and split query"):
        choice.candidates(SPLIT, ids="0-2", wanted_split="query")
    with pytest.raises(UserError, match="'val'; found: train, query"):
        choice.candidates(SPLIT, wanted_split="val")


def test_status_is_a_filter():
    rows, words = choice.candidates(SPLIT, wanted_split="train")
    assert choice.with_status(rows, words, STATUS, ["missing", "failed"]).tolist() == [1, 3]
    with pytest.raises(UserError, match="no image is failed with split query; found: 3 ok, 1 missing, 0 failed"):
        choice.with_status(np.arange(6, 10), ["split query"], STATUS, ["failed"])


def test_a_draw_is_ascending_without_repeats_and_differs_by_seed():
    rows = np.arange(100, 200)
    drawn = choice.draw(rows, 30, 0)
    assert (np.diff(drawn) > 0).all()
    assert set(drawn) <= set(rows)
    np.testing.assert_array_equal(drawn, choice.draw(rows, 30, 0))
    assert drawn.tolist() != choice.draw(rows, 30, 1).tolist()
    np.testing.assert_array_equal(choice.draw(rows, 100, 0), rows)


def test_worst_is_lowest_first():
    score = np.array([0.9, 0.1, 0.5, 0.1, 0.7])
    assert choice.worst(np.array([0, 2, 3, 4]), score, 3).tolist() == [3, 2, 4]
    assert choice.worst(np.arange(5), score, 2).tolist() == [1, 3]


def test_too_many_images_for_a_page_are_refused():
    choice.bearable(np.arange(1000))
    with pytest.raises(UserError, match="1,001 images are too many"):
        choice.bearable(np.arange(1001))
