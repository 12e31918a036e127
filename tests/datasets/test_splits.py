import itertools
import random

from partreid.datasets import splits


def rows_of(people):
    """Rows for {person: [camid, ...]}, pids in order of the names."""
    return [
        {"path": f"{person}/{n}.jpg", "person": person, "pid": pid, "camid": camid}
        for pid, (person, cameras) in enumerate(people.items(), start=1)
        for n, camid in enumerate(cameras)
    ]


def parts(rows, train=True):
    """{split: set of paths} and the warnings."""
    divided, warnings = splits.divide(rows, train)
    result = {"train": set(), "query": set(), "gallery": set()}
    for row in divided:
        result[row["split"]].add(row["path"])
    return result, warnings


def test_one_query_for_every_camera_that_keeps_an_image():
    def asked(cameras):
        return sorted(row["path"] for row in splits.queries(rows_of({"p": cameras})))

    assert asked([0, 0, 1, 1]) == ["p/0.jpg", "p/2.jpg"]
    assert asked([0, 1]) == ["p/0.jpg"]  # both as queries would leave nothing to find
    assert asked([0, 1, 1, 2]) == ["p/1.jpg"]
    assert asked([None, None, None]) == ["p/0.jpg"]


def test_every_query_of_the_rule_has_an_answer():
    """All ways in which up to five images of a person can come from three cameras or none."""
    for number in range(2, 6):
        for cameras in itertools.product([None, 0, 1, 2], repeat=number):
            rows = rows_of({"p": cameras})
            if splits.can_be_searched(rows):
                divided, _ = splits.divide(rows, train=False)
                lost, asking = splits.unanswerable(divided)
                assert (lost, asking > 0) == (0, True), cameras


def test_half_of_the_persons_train_and_nobody_is_on_both_sides():
    people = {f"p{n:02d}": [0, 0, 1, 1] for n in range(21)}
    divided, warnings = splits.divide(rows_of(people), train=True)
    train = {row["person"] for row in divided if row["split"] == "train"}
    test = {row["person"] for row in divided if row["split"] != "train"}
    assert (len(train), len(test)) == (10, 11)
    assert not train & test
    assert warnings == []
    assert sum(row["split"] == "query" for row in divided) == 22


def test_the_split_does_not_depend_on_the_order_of_rows():
    rows = rows_of({f"p{n}": [0, 1, 1] for n in range(9)})
    expected, _ = parts(rows)
    random.Random(1).shuffle(rows)
    assert parts(rows)[0] == expected


def test_a_new_person_moves_at_most_one_other():
    people = {f"p{n}": [0, 1] for n in range(20)}
    before = {row["person"] for row in splits.divide(rows_of(people), train=True)[0] if row["split"] == "train"}
    for name in ("x", "y", "z", "ann", "bob"):
        more = rows_of({**people, name: [0, 1]})
        after = {row["person"] for row in splits.divide(more, train=True)[0] if row["split"] == "train"}
        assert len((before ^ after) - {name}) <= 1


def test_persons_who_cannot_be_searched_for_train_or_distract_and_are_named():
    people = {f"p{n}": [0, 1] for n in range(6)} | {"lone": [0], "stay": [1, 1, 1]}
    found, warnings = parts(rows_of(people))
    assert "lone/0.jpg" in found["gallery"]
    assert {"stay/0.jpg", "stay/1.jpg", "stay/2.jpg"} <= found["train"]
    assert warnings == [
        "1 person (lone) with one image: in the gallery only",
        "1 person (stay) seen by one camera, so no other camera can find them: used for training only",
    ]
    found, warnings = parts(rows_of(people), train=False)
    assert found["train"] == set()
    assert {"lone/0.jpg", "stay/0.jpg"} <= found["gallery"]
    assert "in the gallery only" in warnings[1]


def test_too_few_persons_are_all_for_the_test():
    found, warnings = parts(rows_of({"a": [0, 1], "b": [0, 1], "c": [0, 1]}))
    assert found["train"] == set()
    assert len(found["query"]) == 3
    assert warnings[0].startswith("only 3 of 3 persons can be searched for, 4 are needed to train on some")
    found, warnings = parts(rows_of({"a": [0, 1], "b": [0, 1], "c": [0, 1], "d": [0, 1]}))
    assert len(found["train"]) == 4
    assert warnings == []


def test_junk_is_gallery_whatever_its_cameras():
    junk = [{"path": f"-1/{n}.jpg", "person": "-1", "pid": -1, "camid": n % 2} for n in range(4)]
    found, warnings = parts(rows_of({f"p{n}": [0, 1] for n in range(4)}) + junk)
    assert {row["path"] for row in junk} <= found["gallery"]
    assert warnings == []


def test_queries_without_an_answer_are_counted():
    def row(split, pid, camid):
        return {"split": split, "pid": pid, "camid": camid}

    gallery = [row("gallery", 1, 0), row("gallery", 2, None), row("gallery", 3, 5)]
    asking = [
        row("query", 1, 0),  # lost: the same camera
        row("query", 1, 1),
        row("query", 1, None),
        row("query", 2, 0),
        row("query", 2, None),
        row("query", 4, 0),  # lost: not in the gallery
    ]
    assert splits.unanswerable(gallery + asking) == (2, 6)
