import pytest

from partreid.tools.matching import match, text, without


@pytest.mark.parametrize(
    ("images", "names", "rule"),
    [
        (["a/x.jpg"], ["a/x.jpg"], "whole path"),
        (["a/x.jpg"], ["a/x"], "whole path"),
        (["a/x.jpg"], ["./a/x"], "whole path"),
        (["a/x.jpg"], ["a/x.png"], "whole path"),
        (["a/b/x.jpg"], ["b/x"], "last folders"),
        (["b/x.jpg"], ["masks/b/x.jpg"], "last folders"),
        (["a/x.jpg"], ["x"], "file name"),
        (["a/x.jpg"], ["elsewhere/x"], "file name"),
        (["x.jpg.jpg"], ["x.jpg"], "whole path"),
    ],
)
def test_an_image_and_a_name_that_belong_together(images, names, rule):
    found = match(images, names)
    assert found.keys == (names[0],)
    assert found.rules[rule] == 1
    assert not found.ambiguous
    assert not found.unused


@pytest.mark.parametrize("name", ["a/y", "x.jpg/y", "ax", "a/x.jpg.bak"])
def test_other_names_do_not_match(name):
    found = match(["a/x.jpg"], [name])
    assert found.keys == (None,)
    assert found.unmatched() == ["a/x.jpg"]
    assert found.unused == (name,)


def test_the_ending_decides_between_images_of_one_name():
    assert match(["x.jpg", "x.png"], ["x.png", "x.jpg"]).keys == ("x.jpg", "x.png")
    both = match(["x.jpg", "x.png"], ["x"])
    assert both.keys == (None, None)
    assert both.ambiguous == {0: ("x",), 1: ("x",)}


def test_folders_decide_between_images_of_one_name():
    images = ["train/1.jpg", "query/1.jpg", "query/2.jpg"]
    found = match(images, ["query/1", "train/1", "2"])
    assert found.keys == ("train/1", "query/1", "2")
    assert found.rules == {"whole path": 2, "last folders": 0, "file name": 1}


def test_a_name_that_another_image_has_is_no_candidate():
    found = match(["train/1.jpg", "query/1.jpg"], ["query/1"])
    assert found.keys == (None, "query/1")
    assert found.unmatched() == ["train/1.jpg"]
    assert not found.ambiguous


def test_a_key_belongs_to_one_image():
    found = match(["x.jpg", "x.jpg.jpg"], ["x.jpg"])
    assert found.keys == ("x.jpg", None)
    assert found.unmatched() == ["x.jpg.jpg"]


def test_ambiguous_images_are_named_with_their_candidates():
    found = match(["train/1.jpg", "train/2.jpg"], ["a/1", "b/1", "2"])
    assert found.keys == (None, "2")
    assert found.ambiguous == {0: ("a/1", "b/1")}
    assert not found.unmatched()
    assert not found.unused
    flat = match(["train/1.jpg", "query/1.jpg"], ["1"])
    assert flat.keys == (None, None)
    assert flat.ambiguous == {0: ("1",), 1: ("1",)}


def test_two_files_of_one_image_are_ambiguous():
    found = match(["x.jpg"], ["x.jpg.npy", "x.npy"], ["x.jpg", "x"])
    assert found.keys == ("x.jpg.npy",)  # the one with the image's whole name
    twice = match(["x.jpg"], ["x.jpg.confidence_fields.npy", "x.jpg.npy"], ["x.jpg", "x.jpg"])
    assert twice.ambiguous == {0: ("x.jpg.confidence_fields.npy", "x.jpg.npy")}


def test_whatever_the_order_the_same_images_match():
    images = [f"{folder}/{i}.jpg" for folder in ("a", "b") for i in range(5)] + ["c/0.jpg", "c/9.jpg"]
    names = ["x/a/0", "a/1", "9", "b/1.png", "b/2", "z/0", "y/4"]
    forward = dict(zip(images, match(images, names).keys, strict=True))
    backward = dict(zip(images[::-1], match(images[::-1], names[::-1]).keys, strict=True))
    assert forward == backward
    assert {image: name for image, name in forward.items() if name} == {
        "a/0.jpg": "x/a/0", "a/1.jpg": "a/1", "b/1.jpg": "b/1.png", "b/2.jpg": "b/2", "c/9.jpg": "9",
    }  # fmt: skip


def test_the_report_counts_and_shows_examples():
    images = ["a/0.jpg", *[f"a/{i}.jpg" for i in range(1, 8)], "d/10.jpg"]
    found = match(images, ["a/0", "zz", "p/10", "q/10"])
    about = found.about()
    assert about["images"] == 9
    assert about["matched"] == {"whole path": 1, "last folders": 0, "file name": 0}
    assert about["unmatched"] == {"count": 7, "first": ["a/1.jpg", "a/2.jpg", "a/3.jpg"]}
    assert about["unused"] == {"count": 1, "first": ["zz"]}
    assert about["ambiguous"] == {"count": 1, "first": ["d/10.jpg: p/10, q/10"]}
    lines = text(about).splitlines()
    assert lines[0].split() == ["1", "of", "9", "images", "matched:", "1", "by", "whole", "path"]
    assert any("a/2.jpg" in line for line in lines)
    assert any("d/10.jpg: p/10, q/10" in line for line in lines)
    assert len(text(match(["x.jpg"], ["x"]).about()).splitlines()) == 1  # nothing to complain about


def test_endings_are_taken_off_whatever_the_case():
    assert without("x.JPG", (".jpg",)) == "x"
    assert without("x_iuv.png", ("_IUV.png",)) == "x"
    assert without("x.jpg.confidence_fields.npy", (".confidence_fields.npy", ".npy")) == "x.jpg"
    assert without(".npy", (".npy",)) == ".npy"  # nothing would be left


def test_unicode_forms_and_windows_separators_are_no_difference():
    images = ["Rene\u0301/a.jpg", "Ann/b.jpg"]
    assert match(images, ["Ren\u00e9/a.jpg", "Ann\\b.jpg"]).keys == ("Ren\u00e9/a.jpg", "Ann\\b.jpg")
    assert match(images, ["D:\\photos\\Rene\u0301\\a.jpg"]).keys == ("D:\\photos\\Rene\u0301\\a.jpg", None)


def test_copies_of_an_image_share_a_key_however_it_is_found():
    images = ["query/x.jpg", "gallery/x.jpg", "query/y.jpg", "gallery/y.jpg"]
    found = match(images, ["x.jpg", "query/y.jpg"], digests=["a", "a", "b", "b"])
    assert found.keys == ("x.jpg", "x.jpg", "query/y.jpg", "query/y.jpg")
    assert found.ambiguous == {}
    assert match(images, ["x.jpg", "query/y.jpg"], digests=["a", "b", "c", "d"]).keys == (
        None,
        None,
        "query/y.jpg",
        None,
    )
