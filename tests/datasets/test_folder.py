import errno
import os
from pathlib import Path

import pytest

from dataset_trees import image, photos
from partreid.datasets import folder
from partreid.errors import UserError
from partreid.storage import image_table

FOUR = {name: {"door": 2, "hall": 2} for name in ("ann", "bob", "cid", "dot")}


def by_path(table):
    return {row["path"]: row for row in table.to_pylist()}


def csv(root, text, encoding="utf-8"):
    (root / "images.csv").write_bytes(text.encode(encoding))


def test_names_become_numbers_that_the_table_explains(tmp_path):
    table = folder.read(photos(tmp_path, FOUR))
    about = image_table.about(table)
    assert about["persons"] == ["ann", "bob", "cid", "dot"]
    assert about["cameras"] == ["door", "hall"]
    for path, row in by_path(table).items():
        person, camera, _ = path.split("/")
        assert about["persons"][row["pid"] - 1] == person  # 0 is left to distractors
        assert about["cameras"][row["camid"]] == camera
    assert about["found"]["train images"] == 8
    assert about["found"]["query images"] == 4
    assert about["found"]["gallery images"] == 4
    assert about["warnings"] == []


def test_rows_are_by_split_then_in_byte_order(tmp_path):
    rows = folder.read(photos(tmp_path, FOUR)).to_pylist()
    keys = [(image_table.SPLITS.index(row["split"]), row["path"].encode()) for row in rows]
    assert keys == sorted(keys)
    assert [row["image_id"] for row in rows] == list(range(16))


def test_any_text_is_a_name(tmp_path):
    for person in ("José Núñez", "李", "o'neil, jr.", "#7"):
        for camera in ("Tür 1", "cam two"):
            image(tmp_path / person / camera / "Foto (1).JPG")
            image(tmp_path / person / camera / "bild.PNG")
    table = folder.read(tmp_path)
    assert len(table) == 16
    assert image_table.about(table)["persons"] == ["#7", "José Núñez", "o'neil, jr.", "李"]
    assert all((tmp_path / path).is_file() for path in table["path"].to_pylist())


def test_without_cameras_the_first_image_asks(tmp_path):
    table = folder.read(photos(tmp_path, {"ann": {"": 3}, "bob": {"": 1}}))
    assert {path: row["split"] for path, row in by_path(table).items()} == {
        "ann/0.jpg": "query",
        "ann/1.jpg": "gallery",
        "ann/2.jpg": "gallery",
        "bob/0.jpg": "gallery",
    }
    assert table["camid"].null_count == 4
    warnings = " | ".join(image_table.about(table)["warnings"])
    assert "1 person (bob) with one image: in the gallery only" in warnings
    assert "too few" not in warnings
    assert "only 1 of 2 persons can be searched for" in warnings
    assert "no cameras: every other image of a person counts as an answer" in warnings


def test_one_camera_for_all_is_an_error_that_says_what_to_do(tmp_path):
    photos(tmp_path, {name: {"cam": 5} for name in FOUR})
    with pytest.raises(UserError, match=r"(?s)nobody can be searched for.*leave the camera folders \(or camid\) out"):
        folder.read(tmp_path)


def test_an_error_over_who_is_left_names_who_is_missing(tmp_path):
    photos(tmp_path, {"ann": {"": 1}})
    (name,) = [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.jpg")]
    (tmp_path / "images.csv").write_text(f"path,pid\n{name},ann\nann/mistyped.jpg,ann\n")
    with pytest.raises(UserError, match=r"(?s)nobody can be.*1 image read, 1 skipped; the first: ann/mistyped\.jpg \("):
        folder.read(tmp_path)


def test_split_folders(tmp_path):
    photos(tmp_path / "train", {"ann": {"a": 2}, "bob": {"a": 2}})
    photos(tmp_path / "query", {"cid": {"a": 1}})
    photos(tmp_path / "gallery", {"cid": {"b": 1}, "-1": {"b": 1}})
    table = folder.read(tmp_path)
    found = {row["path"]: (row["split"], row["pid"], row["camid"]) for row in table.to_pylist()}
    assert found == {
        "train/ann/a/0.jpg": ("train", 1, 0),
        "train/ann/a/1.jpg": ("train", 1, 0),
        "train/bob/a/0.jpg": ("train", 2, 0),
        "train/bob/a/1.jpg": ("train", 2, 0),
        "query/cid/a/0.jpg": ("query", 3, 0),
        "gallery/cid/b/0.jpg": ("gallery", 3, 1),
        "gallery/-1/b/0.jpg": ("gallery", -1, 1),
    }
    assert image_table.about(table)["warnings"] == []


def test_photos_to_search_only(tmp_path):
    photos(tmp_path / "test", FOUR)
    table = folder.read(tmp_path)
    found = image_table.about(table)["found"]
    assert "train images" not in found
    assert (found["query images"], found["gallery images"]) == (8, 8)
    assert image_table.about(table)["warnings"] == []


def test_a_person_named_like_a_split_is_not_swallowed(tmp_path):
    photos(tmp_path, {"ann": {"a": 2}, "test": {"a": 2}})
    with pytest.raises(UserError, match="test/ is named like a split, but ann/ is not"):
        folder.read(tmp_path)


def test_what_lies_in_the_wrong_place_is_named(tmp_path):
    photos(tmp_path, FOUR)
    image(tmp_path / "stray.jpg")
    image(tmp_path / "ann" / "door" / "monday" / "x.jpg")
    (tmp_path / "ann" / "door" / "clip.mp4").touch()
    (tmp_path / "ann" / ".thumbnails").mkdir()
    image(tmp_path / "ann" / ".thumbnails" / "t.jpg")
    image(tmp_path / "__MACOSX" / "ann" / "0.jpg")
    (tmp_path / "bob" / "door" / "0.jpg").write_bytes(b"\xff\xd8broken")
    table = folder.read(tmp_path)
    about = image_table.about(table)
    assert about["skipped"] == [
        ["stray.jpg", "lies in no person's folder"],
        ["ann/door/monday/", "folders inside a camera's are not read (1 image)"],
        ["bob/door/0.jpg", "not an image, or damaged"],
    ]
    assert about["ignored"] == {".mp4": 1, "hidden folders": 2}
    assert len(table) == 15


def test_wrong_roots(tmp_path):
    with pytest.raises(UserError, match=r"(?s)expected:.*<root>/<person>/<camera>.*no such folder"):
        folder.read(tmp_path / "nowhere")
    with pytest.raises(UserError, match=r"(?s)no readable image, 0 skipped\nexpected:.*is empty"):
        folder.read(tmp_path)
    image(tmp_path / "a.jpg")
    with pytest.raises(UserError, match=r"1 skipped; the first: a.jpg \(lies in no person's folder\)"):
        folder.read(tmp_path)


def test_a_root_one_folder_too_high_is_doubted(tmp_path):
    table = folder.read(photos(tmp_path, {"photos": dict.fromkeys(FOUR, 2)}).resolve())
    (doubt,) = [line for line in image_table.about(table)["warnings"] if "too high" in line]
    assert doubt.startswith("1 person, but 4 cameras: are the two exchanged, or is the root one folder too high")


def test_a_persons_folder_that_may_not_be_looked_into_is_named_once(tmp_path, monkeypatch):
    photos(tmp_path, {**FOUR, "zoe": {"door": 2}, "lost+found": {"": 1}})
    scandir = os.scandir

    def forbidding(path):
        if Path(path).name == "zoe":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", forbidding)
    about = image_table.about(folder.read(tmp_path))
    assert about["skipped"] == [["zoe/", "cannot be looked into: Permission denied"]]
    assert about["ignored"] == {"hidden folders": 1}
    monkeypatch.setattr(os, "scandir", lambda path: forbidding(path if path == tmp_path else "zoe"))
    with pytest.raises(UserError, match=r"no readable image, 5 skipped; the first: ann/ \(cannot be looked into: Perm"):
        folder.read(tmp_path)
    with pytest.raises(PermissionError):  # the root itself
        folder.read(tmp_path / "zoe")


def test_the_same_photos_give_the_same_bytes(tmp_path):
    for name in ("1", "2"):
        table = folder.read(photos(tmp_path / "x", FOUR) if name == "1" else tmp_path / "x")
        image_table.write(table, tmp_path / name)
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()


def test_csv_with_everything(tmp_path):
    photos(tmp_path, {"pics": {"": 6}})
    csv(
        tmp_path,
        "path,pid,camid,split\n"
        "pics/0.jpg,ann,door,train\npics/1.jpg,ann,hall,Train\n"
        'pics/2.jpg,"bob, jr.",door,query\npics/3.jpg,"bob, jr.",hall,gallery\n'
        "pics/4.jpg,-1,hall,gallery\n",
    )
    table = folder.read(tmp_path)
    found = {row["path"]: (row["split"], row["pid"], row["camid"]) for row in table.to_pylist()}
    assert found == {
        "pics/0.jpg": ("train", 1, 0),
        "pics/1.jpg": ("train", 1, 1),
        "pics/2.jpg": ("query", 2, 0),
        "pics/3.jpg": ("gallery", 2, 1),
        "pics/4.jpg": ("gallery", -1, 1),
    }
    assert image_table.about(table)["persons"] == ["ann", "bob, jr."]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_as_spreadsheets_write_it(tmp_path, delimiter):
    photos(tmp_path, {"é": {"": 3}})
    lines = [
        ["pid", "path"],
        ["Zoë", "é\\0.jpg"],
        ["Zoë", " é/1.jpg"],
        ["", ""],
        ["Zoë", str(tmp_path / "é" / "2.jpg")],
    ]
    csv(tmp_path, "\ufeff" + "".join(delimiter.join(line) + "\r\n" for line in lines))
    table = folder.read(tmp_path)
    assert sorted(table["path"].to_pylist()) == ["é/0.jpg", "é/1.jpg", "é/2.jpg"]
    assert image_table.about(table)["persons"] == ["Zoë"]
    assert image_table.about(table)["skipped"] == []


def test_csv_lines_that_lose_nothing_are_skipped_and_named(tmp_path):
    photos(tmp_path, {"p": {"": 3}})
    (tmp_path / "p" / "2.jpg").write_bytes(b"")
    long = "a" * 300 + ".jpg"  # longer than names may be
    csv(tmp_path, f"path,pid\np/0.jpg,a\np/1.jpg,a\np/0.jpg,a\np/gone\x1b.jpg,a\np/2.jpg,a\np/1.jpg,\n{long},a\n")
    table = folder.read(tmp_path)
    assert len(table) == 2
    assert image_table.about(table)["skipped"] == [
        ["p/0.jpg", "images.csv line 4: listed twice"],
        ["p/gone\\x1b.jpg", "images.csv line 5: no such file"],
        ["p/1.jpg", "images.csv line 7: no pid"],
        [long, "images.csv line 8: no such file"],
        ["p/2.jpg", "the file is empty"],
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,pid\na.jpg,1\n", "images.csv has no column 'path'; found: file, pid; expected: path, pid, camid, split"),
        ("path,camid\na.jpg,1\n", "has no column 'pid'"),
        ("path,pid,cam_id\na.jpg,1,1\n", "unknown column 'cam_id'"),
        ("path,pid,pid\na.jpg,1,1\n", "twice the column 'pid'"),
        ("", "has no column 'path'"),
        ("path,pid,split\np/0.jpg,1,testing\n", "p/0.jpg: unknown split 'testing'; known: train, val, query"),
        ("path,pid,split\np/0.jpg,1,train\np/1.jpg,1,\n", "1 of 2 images name no split .the first: p/1.jpg"),
        ("path,pid,split\np/0.jpg,-1,train\n", "person -1 is junk, which belongs in the gallery, not in train"),
        ("path,pid\n../p/0.jpg,1\n", "line 2: ../p/0.jpg lies outside"),
        ("path,pid\n/etc/hosts,1\n", "lies outside the data set's folder"),
        ("path,pid\n,1\n", "line 2: no path"),
        ("path,pid\np/0.jpg,1\np/0.jpg,2\n", "line 3: p/0.jpg is already listed with another pid"),
        ("path,pid\np/0.jpg,1,2\n", "line 2: more values than columns"),
        ('path,pid\np/0.jpg,"1\np/1.jpg,1\n', "line 2: a quote opens that is not closed in its line"),
        ('path,pid\np/0.jpg,1\np/1.jpg,"a\nb"\n', "line 3: a quote opens that is not closed in its line"),
        ('path,pid\np/0.jpg,"1"1\n', "line 2: ',' expected after"),
        ("path,pid,camid\np/0.jpg,1,a\np/1.jpg\n", "line 3 has 1 values, expected 3"),
        ("path,pid\ngone.jpg,1\n", r"no readable image, 1 skipped; the first: gone.jpg \(images.csv line 2: no such"),
    ],
)
def test_csv_errors_say_where_and_what(tmp_path, text, message):
    photos(tmp_path, {"p": {"": 2}})
    csv(tmp_path, text)
    with pytest.raises(UserError, match=message):
        folder.read(tmp_path)


def test_csv_in_another_encoding(tmp_path):
    csv(tmp_path, "path,pid\né.jpg,1\n", "latin-1")
    with pytest.raises(UserError, match=r"images.csv is not UTF-8 .*; save it as CSV UTF-8"):
        folder.read(tmp_path)


def test_doubtful_splits_are_warned_of(tmp_path):
    photos(tmp_path / "train", {"ann": {"a": 2}})
    photos(tmp_path / "query", {"ann": {"a": 1}, "bob": {"a": 1}})
    photos(tmp_path / "gallery", {"ann": {"b": 1}})
    (tmp_path / "gallery" / "bob" / "a").mkdir(parents=True)
    copied = (tmp_path / "query" / "bob" / "a" / "0.jpg").read_bytes()
    (tmp_path / "gallery" / "bob" / "a" / "0.jpg").write_bytes(copied)
    assert image_table.about(folder.read(tmp_path))["warnings"] == [
        "1 of 2 queries have no gallery image of the same person by another camera",
        "1 person (ann) both in training and in the test: results will look too good",
        "1 images are byte-for-byte copies of others; a copy is found all too easily",
    ]


def test_training_photos_alone(tmp_path):
    photos(tmp_path / "train", FOUR)
    assert image_table.about(folder.read(tmp_path))["warnings"] == [
        "no queries: this set can be trained on, but not evaluated"
    ]


def test_numbers_and_empties_as_pandas_writes_them(tmp_path):
    photos(tmp_path, {"p": {"": 9}})
    pids = ["0.0", "0.0", "1.0", "1.0", "2.0", "2.0", "-1.0", "nan", "2.0"]
    cameras = ["0.0", "1.0", "0.0", "1.0", "nan", "None", "NaN", "0.0", ""]
    lines = [f"p/{row}.jpg,{pid},{camera}\n" for row, (pid, camera) in enumerate(zip(pids, cameras, strict=True))]
    csv(tmp_path, "path,pid,camid\n" + "".join(lines))
    table = folder.read(tmp_path)
    about = image_table.about(table)
    assert about["persons"] == ["0", "1", "2"]
    assert about["cameras"] == ["0", "1"]
    assert by_path(table)["p/6.jpg"]["pid"] == image_table.JUNK
    assert by_path(table)["p/6.jpg"]["split"] == "gallery"
    assert table["camid"].null_count == 4
    assert about["skipped"] == [["p/7.jpg", "images.csv line 9: no pid"]]


def test_spellings_of_one_name_are_one_person_and_reported(tmp_path):
    photos(tmp_path, {"p": {"": 8}})
    spelled = ["7", "7.0", "0007", "0007", "8", "8", "e\u0301", "\u00e9"]
    csv(tmp_path, "path,pid\n" + "".join(f"p/{row}.jpg,{pid}\n" for row, pid in enumerate(spelled)))
    about = image_table.about(folder.read(tmp_path))
    assert about["persons"] == ["0007", "8", "\u00e9"]
    assert (
        "persons written in several ways are taken as one: "
        r"'e\u0301' = '\xe9'; 0007 = 7 = 7.0" in about["warnings"]
    )


def test_numbers_with_zeros_before_them_keep_their_names_and_their_parts(tmp_path):
    table = folder.read(photos(tmp_path, {f"{n:04d}": {"c1": 2, "c2": 2} for n in range(1, 9)}))
    about = image_table.about(table)
    assert about["persons"] == [f"{n:04d}" for n in range(1, 9)]
    assert about["warnings"] == []


def test_composed_names_find_decomposed_files(tmp_path):
    photos(tmp_path, {"Rene\u0301": {"": 2}, "Ann": {"": 2}})  # as an archive from a Mac unpacks
    csv(tmp_path, "path,pid\nRen\u00e9/0.jpg,Ren\u00e9\nRene\u0301/1.jpg,Rene\u0301\nAnn/0.jpg,Ann\nAnn/1.jpg,Ann\n")
    table = folder.read(tmp_path)
    assert image_table.about(table)["persons"] == ["Ann", "Ren\u00e9"]
    assert image_table.about(table)["skipped"] == []
    assert all((tmp_path / path).is_file() for path in table["path"].to_pylist())


def test_folders_in_two_unicode_forms_are_one_person(tmp_path):
    photos(tmp_path / "test", {"Rene\u0301": {"a": 1}, "Ren\u00e9": {"b": 1}, "Ann": {"a": 1, "b": 1}})
    table = folder.read(tmp_path)
    assert image_table.about(table)["persons"] == ["Ann", "Ren\u00e9"]
    assert len(table) == 4


def test_links_are_followed_and_those_that_lead_nowhere_are_named(tmp_path):
    photos(tmp_path / "elsewhere", {"ann": {"door": 2, "hall": 2}, "bob": {"door": 2}})
    root = photos(tmp_path / "root", {"cid": {"door": 2, "hall": 2}})
    (root / "ann").symlink_to(tmp_path / "elsewhere/ann")
    (root / "cid" / "yard").symlink_to(tmp_path / "elsewhere/bob/door")
    (root / "bob").symlink_to(tmp_path / "gone")
    (root / "cid" / "attic").symlink_to(tmp_path / "gone")
    (root / "cid" / "door" / "9.jpg").symlink_to(tmp_path / "gone.jpg")
    (root / "dot").mkdir()
    table = folder.read(root)
    assert len(table) == 10
    assert sorted(map(tuple, image_table.about(table)["skipped"])) == [
        ("bob", "a link that leads nowhere"),
        ("cid/attic", "a link that leads nowhere"),
        ("cid/door/9.jpg", "a link that leads nowhere"),
        ("dot/", "a person's folder without an image"),
    ]


def test_split_names_below_the_top_are_refused_with_the_tree_as_understood(tmp_path):
    photos(tmp_path / "train", FOUR)
    photos(tmp_path / "val" / "query", {"eve": {"a": 1}})
    photos(tmp_path / "val" / "gallery", {"eve": {"b": 1}})
    with pytest.raises(UserError, match=r"val/gallery/ would be read as the person 'gallery'.*split 'val', person"):
        folder.read(tmp_path)


def test_split_folders_in_capitals_are_splits(tmp_path):
    photos(tmp_path / "Train", FOUR)
    photos(tmp_path / "Query", {"eve": {"a": 1}})
    photos(tmp_path / "Gallery", {"eve": {"b": 1}})
    assert set(folder.read(tmp_path)["split"].to_pylist()) == {"train", "query", "gallery"}


def test_a_path_that_begins_with_two_dots_is_not_outside(tmp_path):
    image(tmp_path / "..4.png")
    image(tmp_path / "5.png")
    csv(tmp_path, "path,pid\n..4.png,a\n5.png,a\n")
    assert len(folder.read(tmp_path)) == 2


def test_a_large_csv_with_an_open_quote_is_one_line(tmp_path):
    image(tmp_path / "0.png")
    csv(tmp_path, 'path,pid\n0.png,"a\n' + "0.png,a\n" * 20_000)
    with pytest.raises(UserError, match=r"^images.csv line 2: a quote opens that is not closed"):
        folder.read(tmp_path)
