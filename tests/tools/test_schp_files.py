import zlib
from functools import partial

import cv2
import numpy as np
import pytest
from PIL import Image

from partreid.body.parsing import PARSING
from partreid.errors import UserError
from partreid.tools import schp_files
from partreid.tools.schp_files import indices, palette, read
from tools.importing import made


def indexed(path, classes, colours=256):
    image = Image.fromarray(classes.astype(np.uint8))
    image.putpalette(palette(colours).ravel().tolist())
    image.save(path)


@pytest.fixture
def classes():
    """One of each Pascal class in bands from top to bottom, in the middle third of the image."""
    image = np.zeros((140, 60), np.uint8)
    for number in range(1, 7):
        image[20 * number : 20 * number + 20, 20:40] = number
    return image


def test_an_indexed_png_gives_classes_and_person(classes, tmp_path):
    (tmp_path / "out").mkdir()
    indexed(tmp_path / "out" / "0.png", classes, colours=7)
    images = made(["train/0.jpg"], height=140, width=60)
    header, work = schp_files.build(images, folders={"market": str(tmp_path)}, classes="pascal")
    found = work(0, 1)
    assert header["parameters"]["classes"] == "pascal"
    assert found["status"].tolist() == [0]
    assert found["score"][0] > 0.95
    rows, columns = ((np.arange(128) + 0.5) / 128 * 140).astype(int), ((np.arange(64) + 0.5) / 64 * 60).astype(int)
    want = classes[rows][:, columns]
    assert (found["parsing"][0] == want).mean() > 0.97  # all but cells on a border
    np.testing.assert_array_equal(found["person"][0, 40:80, 24:40], 255)
    assert not found["person"][0, :, :21].any()
    assert found["person"][0].sum() / 255 / 8192 == pytest.approx((classes > 0).mean(), abs=1e-3)


def test_the_palette_is_pascal_vocs():
    assert palette(22)[[0, 1, 2, 3, 7, 8, 20]].tolist() == [
        [0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0], [128, 128, 128], [64, 0, 0], [0, 64, 128],
    ]  # fmt: skip
    assert len(np.unique(palette(256), axis=0)) == 256


@pytest.mark.parametrize("count", [7, 18, 20])
def test_every_form_of_a_png_has_the_same_classes(count, tmp_path):
    values = np.random.default_rng(count).integers(0, count, (9, 5)).astype(np.uint8)
    indexed(tmp_path / "index.png", values, colours=count)
    Image.fromarray(values).save(tmp_path / "grey.png")
    with Image.open(tmp_path / "index.png") as image:
        image.convert("RGB").save(tmp_path / "rgb.png")
        image.convert("RGBA").save(tmp_path / "rgba.png")
    cv2.imwrite(str(tmp_path / "copied.png"), cv2.imread(str(tmp_path / "index.png")))  # what OpenCV makes of it
    for name in ("index", "grey", "rgb", "rgba", "copied"):
        np.testing.assert_array_equal(indices(tmp_path / f"{name}.png", count), values, err_msg=name)


def test_what_is_no_parsing_is_refused_with_the_reason(classes, tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (20, 10, 3)).astype(np.uint8)
    cv2.imwrite(str(tmp_path / "photo.png"), image)
    with pytest.raises(ValueError, match=r"is none of the first 7 colours"):
        indices(tmp_path / "photo.png", 7)
    cv2.imwrite(str(tmp_path / "photo.jpg"), image)
    (tmp_path / "photo.jpg").rename(tmp_path / "jpeg.png")
    with pytest.raises(ValueError, match="it is JPEG, expected PNG"):
        indices(tmp_path / "jpeg.png", 7)
    indexed(tmp_path / "lip.png", classes + 12)
    with pytest.raises(ValueError, match="class 18, expected 0 to 6"):
        indices(tmp_path / "lip.png", 7)
    cv2.imwrite(str(tmp_path / "deep.png"), np.zeros((4, 4), np.uint16))
    with pytest.raises(ValueError, match="expected indexed"):
        indices(tmp_path / "deep.png", 7)


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "text", "huge"])
def test_a_damaged_png_is_one_failed_image(damage, classes, tmp_path):
    indexed(tmp_path / "0.png", classes)
    data = bytearray(classes.tobytes() if damage == "text" else (tmp_path / "0.png").read_bytes())
    if damage == "flip":
        data[-30] ^= 255
    if damage == "huge":  # it claims 2^24 pixels each way
        data[16:24] = b"\x01\0\0\0\x01\0\0\0"
        data[29:33] = zlib.crc32(data[12:29]).to_bytes(4)
    cut = {"cut": len(data) * 2 // 3, "empty": 0}.get(damage, len(data))
    (tmp_path / "1.png").write_bytes(data[:cut])
    images = made(["0.jpg", "1.jpg"])
    _, work = schp_files.build(images, folders={"market": str(tmp_path)}, classes="pascal")
    assert work(0, 2)["status"].tolist() == [0, 2]


def test_other_classes_are_counted_as_pascals(tmp_path):
    indexed(tmp_path / "lip.png", np.full((128, 64), 13))  # face
    found = read("lip", tmp_path / "lip.png", 128, 64)
    assert found is not None
    assert set(found["parsing"].ravel()) == {PARSING.index("head")}
    indexed(tmp_path / "atr.png", np.full((128, 64), 6))  # pants
    found = read("atr", tmp_path / "atr.png", 128, 64)
    assert found is not None
    assert set(found["parsing"].ravel()) == {PARSING.index("upper_legs")}
    indexed(tmp_path / "bag.png", np.full((128, 64), 16))  # no part of a person
    assert read("atr", tmp_path / "bag.png", 128, 64) is None


def test_nobody_is_missing_and_unknown_classes_are_refused(tmp_path):
    indexed(tmp_path / "0.png", np.zeros((128, 64)))
    build = partial(schp_files.build, made(["0.jpg"]), folders={"market": str(tmp_path)})
    _, work = build(classes="pascal")
    assert work(0, 1)["status"].tolist() == [1]
    with pytest.raises(UserError, match=r"unknown classes .*'cihp'; known: atr, lip, pascal"):
        build(classes="cihp")


def test_a_palette_that_was_sorted_anew_is_followed_by_its_colours(tmp_path):
    values = np.repeat(np.array([0, 1, 2, 5], np.uint8), 6).reshape(6, 4)
    order = [5, 2, 0, 1]  # what stands at index 0, 1, ... of the new palette
    image = Image.fromarray(np.argsort(order)[np.searchsorted([0, 1, 2, 5], values)].astype(np.uint8))
    moved = np.zeros_like(values)
    for place, number in enumerate(order):
        moved[values == number] = place
    image = Image.fromarray(moved)
    image.putpalette(palette(7)[order].ravel().tolist())
    image.save(tmp_path / "sorted.png")
    with Image.open(tmp_path / "sorted.png") as opened:
        assert opened.mode == "P"
    np.testing.assert_array_equal(indices(tmp_path / "sorted.png", 7), values)
    with Image.open(tmp_path / "sorted.png") as opened:  # a round trip through RGB, as image libraries make it
        opened.convert("RGB").quantize(4).save(tmp_path / "rebuilt.png")
    np.testing.assert_array_equal(indices(tmp_path / "rebuilt.png", 7), values)


def test_index_and_colour_that_contradict_each_other_are_refused(tmp_path):
    values = np.array([[0, 1, 2, 5]], np.uint8)
    colours = palette(7)
    colours[[1, 2]] = colours[[2, 1]]
    colours[5] = 9, 9, 9
    image = Image.fromarray(values)
    image.putpalette(colours.ravel().tolist())
    image.save(tmp_path / "x.png")
    with pytest.raises(
        ValueError, match=r"contradict .*index 1 has the colour of class 2, but index 5 has \(9, 9, 9\)"
    ):
        indices(tmp_path / "x.png", 7)
    image.putpalette([200 + i // 3 for i in range(21)])  # somebody's own colours say nothing
    image.save(tmp_path / "own.png")
    np.testing.assert_array_equal(indices(tmp_path / "own.png", 7), values)
