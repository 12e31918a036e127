from dataset_trees import image
from partreid.datasets.images import measure
from partreid.datasets.names import cell, normal, unified
from partreid.datasets.walk import Walk


def test_below_finds_visible_images_through_links_and_counts_the_rest(tmp_path):
    for name in ("a.jpg", "sub/b.PNG", "sub/deep/c.jpeg", ".cache/x.jpg", "__MACOSX/y.jpg", "._a.jpg"):
        (tmp_path / "root" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "root" / name).touch()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "d.jfif").touch()
    (tmp_path / "root" / "IMG.HEIC").touch()
    (tmp_path / "root" / "linked").symlink_to(tmp_path / "other")
    (tmp_path / "root" / "sub" / "up").symlink_to(tmp_path / "root")
    (tmp_path / "root" / "away.jpg").symlink_to(tmp_path / "away.jpg")
    walk = Walk(tmp_path / "root")
    assert walk.below() == ["a.jpg", "linked/d.jfif", "sub/b.PNG", "sub/deep/c.jpeg"]
    assert walk.ignored == {".heic": 1, "hidden": 1, "hidden folders": 2}
    assert sorted(walk.skipped) == [
        ["away.jpg", "a link that leads nowhere"],
        ["sub/up", "a link back to a folder above it"],
    ]
    assert (
        walk.left_out()
        == "1 .heic, 1 hidden, 2 hidden folders, 2 skipped (the first: away.jpg: a link that leads nowhere)"
    )


def test_what_is_left_out_is_told_in_one_line(tmp_path):
    (tmp_path / "a\nb\x1b[1m ü.jpg").symlink_to(tmp_path / "nowhere")
    walk = Walk(tmp_path)
    assert not walk.below()
    assert walk.skipped == [["a\\nb\\x1b[1m ü.jpg", "a link that leads nowhere"]]


def test_a_name_with_a_line_end_is_read(tmp_path):
    image(tmp_path / "a\nb.jpg")
    assert [row["path"] for row in measure(tmp_path, [{"path": "a\nb.jpg"}])[0]] == ["a\nb.jpg"]


def test_a_folder_is_counted_once_however_often_it_is_looked_at(tmp_path):
    (tmp_path / "notes.txt").touch()
    walk = Walk(tmp_path)
    for _ in range(3):
        walk.files()
        walk.folders()
    assert walk.ignored == {".txt": 1}


def test_a_folder_linked_twice_is_read_twice(tmp_path):
    image(tmp_path / "one" / "a.jpg")
    (tmp_path / "two").symlink_to(tmp_path / "one")
    assert Walk(tmp_path).below() == ["one/a.jpg", "two/a.jpg"]


def test_normal_form():
    same = [("7", "7.0"), ("007", "7"), ("+7", "7"), ("-1.0", "-1"), ("0", "-0.0"), (" ann ", "ann")]
    assert [normal(a) for a, _ in same] == [normal(b) for _, b in same]
    different = ["7", "-7", "7.5", "7a", "0x7", "1e5", "100000", "Ann", "ann", "v1.0"]
    assert len({normal(name) for name in different}) == len(different)
    assert normal("1" * 5000) == "1" * 5000


def test_empty_cells():
    assert [cell(value) for value in ("NaN", " none ", "<NA>", "NULL", "n/a")] == [""] * 5
    assert [cell(value) for value in ("Nancy", "0", "nano")] == ["Nancy", "0", "nano"]


def test_unified_leaves_names_alone_that_are_written_in_one_way():
    assert unified(["0001", "0002", "0001", ""], "persons") == (["0001", "0002", "0001", ""], [])
    assert unified(["-1.0", "-1"], "persons")[0] == ["-1", "-1"]
