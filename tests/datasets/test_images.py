import os

import pytest

from dataset_trees import image
from partreid.datasets import images
from partreid.datasets.walk import Walk


def test_sizes_are_width_and_height_and_order_is_kept(tmp_path):
    sizes = {"b.png": (7, 30), "a.JPG": (9, 20), "c.webp": (40, 3), "d.tif": (5, 6), "e.bmp": (11, 12)}
    for name, (width, height) in sizes.items():
        image(tmp_path / name, width, height)
    rows, skipped = images.measure(tmp_path, [{"path": name, "pid": 1} for name in sizes])
    assert {row["path"]: (row["width"], row["height"]) for row in rows} == sizes
    assert [row["path"] for row in rows] == list(sizes)
    assert skipped == []


def test_a_phone_photo_is_measured_after_its_turn(tmp_path):
    data = image(tmp_path / "p.jpg", 20, 10).read_bytes()
    # an EXIF block that says orientation 6: turn by 90 degrees to view
    tiff = b"II*\0\x08\0\0\0" + b"\x01\0" + b"\x12\x01\x03\0\x01\0\0\0\x06\0\0\0" + b"\0\0\0\0"
    exif = b"Exif\0\0" + tiff
    (tmp_path / "p.jpg").write_bytes(data[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + data[2:])
    rows, _ = images.measure(tmp_path, [{"path": "p.jpg"}])
    assert (rows[0]["width"], rows[0]["height"]) == (10, 20)


def test_a_file_that_vanished_is_skipped(tmp_path):
    rows, skipped = images.measure(tmp_path, [{"path": "gone.jpg"}])
    assert rows == []
    assert skipped == [["gone.jpg", "cannot be read: No such file or directory"]]


def test_listing_is_in_byte_order_and_counts_the_rest(tmp_path):
    for name in ("é.jpg", "B.jpg", "a.JPEG", "-1.jpg"):
        image(tmp_path / name)
    (tmp_path / "Thumbs.db").touch()
    (tmp_path / "IMG_1.HEIC").touch()
    (tmp_path / "IMG_2.heic").touch()
    (tmp_path / "README").touch()
    (tmp_path / "folder.jpg").mkdir()
    walk = Walk(tmp_path)
    assert walk.files() == ["-1.jpg", "B.jpg", "a.JPEG", "é.jpg"]
    assert walk.ignored == {".db": 1, ".heic": 2, "none": 1}


@pytest.mark.skipif(os.name != "posix", reason="only POSIX file names are bytes")
def test_a_name_that_is_not_utf8_is_skipped_and_printable(tmp_path):
    name = os.fsdecode(b"caf\xe9.jpg")
    try:
        (tmp_path / name).write_bytes(image(tmp_path / "a.jpg").read_bytes())
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    paths = Walk(tmp_path).files()
    rows, skipped = images.measure(tmp_path, [{"path": path} for path in paths])
    assert [row["path"] for row in rows] == ["a.jpg"]
    assert skipped[0][1] == "the file name is not UTF-8: rename it"
    skipped[0][0].encode("utf-8")
