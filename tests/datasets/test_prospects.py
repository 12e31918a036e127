from dataclasses import replace

import pytest

from partreid import params
from partreid.datasets.prospects import FEW, NO_QUERIES, answerable, foreseen, persons
from partreid.datasets.splits import unanswerable
from partreid.errors import UserError
from partreid.storage import image_table


def table(*rows):
    """An image table of (split, pid, camid)."""
    shared = {"width": 1, "height": 1, "sha1": "0"}
    return image_table.build(
        [
            {**shared, "path": f"{number}.jpg", "split": split, "pid": pid, "camid": camid}
            for number, (split, pid, camid) in enumerate(rows)
        ],
        {},
    )


TRAIN = [("train", pid, camera) for pid in (1, 2, *range(11, 11 + FEW - 2)) for camera in (0, 1)]
TEST = [("query", 3, 0), ("query", 3, 1), ("query", 4, 0), ("gallery", 3, 0), ("gallery", 4, 0), ("gallery", -1, 1)]


@pytest.fixture
def p(project):
    return replace(params.load(project / "params.yaml"), dataset="folder", also_test_on=["market1501"])


def test_a_good_set_says_nothing(p):
    assert foreseen("folder", table(*TRAIN, *TEST), p) == []
    assert foreseen("market1501", table(*TEST), p) == []


def test_one_training_person_is_an_error_where_the_set_is_to_train_on(p):
    lonely = table(*TRAIN[:2], ("train", -1, 0), *TEST)
    assert persons(lonely, "train") == 1
    with pytest.raises(UserError, match=r"folder has 1 person to train on.*also_test_on=\[folder\]"):
        foreseen("folder", lonely, p)
    assert foreseen("market1501", lonely, p) == []


def test_a_set_with_few_persons_is_advised_to_train_elsewhere(p):
    few = table(*TRAIN[:-2], *TEST)
    (advice,) = foreseen("folder", few, p)
    assert advice.startswith(f"folder has {FEW - 1} persons to train on: too few to learn from.")
    assert advice.endswith("-S dataset=synthetic -S 'also_test_on=[folder]'")
    assert foreseen("market1501", few, p) == []
    assert foreseen("synthetic", few, replace(p, dataset="synthetic")) == []


def test_a_gallery_of_one_person_is_warned_of(p):
    alone = table(*TRAIN, ("query", 3, 0), ("gallery", 3, 1), ("gallery", -1, 1))
    for dataset in ("folder", "market1501"):
        assert foreseen(dataset, alone, p) == [
            f"the gallery of {dataset} shows one person: every answer is right, and results say nothing"
        ]
    assert foreseen("synthetic", alone, p) == []


def test_queries_that_nobody_can_answer_are_an_error(p):
    asking = table(*TRAIN, ("query", 3, 0), ("query", 4, 1), ("gallery", 3, 0), ("gallery", 5, 0))
    for dataset in ("folder", "market1501"):
        with pytest.raises(UserError, match=f"none of the 2 queries of {dataset} has a right answer"):
            foreseen(dataset, asking, p)
    assert foreseen("synthetic", asking, p) == []


def test_no_queries_are_a_warning_to_train_on_and_an_error_to_test_on(p):
    silent = table(*TRAIN, ("gallery", 3, 0))
    assert foreseen("folder", silent, p) == [NO_QUERIES]
    with pytest.raises(UserError, match=r"market1501 \(also_test_on\) has no query images"):
        foreseen("market1501", silent, p)


def test_answerable_counts_as_the_slow_rule_of_own_photos():
    rows = [*TEST, ("query", 5, None), ("gallery", 5, 2), ("query", 6, 1), ("gallery", 6, None), ("query", 7, 1)]
    made = table(*rows)
    lost, asking = unanswerable(made.to_pylist())
    assert answerable(made) == (asking, asking - lost) == (6, 3)
