"""What may be sent: checked by its header, decoded by its kind, kept for a while."""

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image
from starlette.exceptions import HTTPException

from partreid.errors import UserError
from partreid.serving import photos

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 20, 3), dtype=np.uint8)


def encoded(kind, image=PIXELS, **options):
    file = io.BytesIO()
    Image.fromarray(image).save(file, kind, **options)
    return file.getvalue()


def png_header(width, height):
    """A PNG that says how large it is and holds nothing."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", ["PNG", "BMP", "WEBP"])
def test_pictures_come_as_they_are(kind):
    options = {"lossless": True} if kind == "WEBP" else {}
    assert np.array_equal(photos.decoded(encoded(kind, **options)), PIXELS)


def test_a_jpeg_is_what_the_gallery_would_read():
    data = encoded("JPEG", np.repeat(np.repeat(PIXELS, 8, 0), 8, 1), quality=92)
    theirs = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    assert np.abs(photos.decoded(data).astype(int) - theirs).mean() < 1


def test_a_photo_is_turned_as_its_exif_says():
    turned = Image.Exif()
    turned[0x0112] = 6  # to be turned right by a quarter
    data = encoded("PNG", exif=turned.tobytes())
    assert np.array_equal(photos.decoded(data), np.rot90(PIXELS, -1))


def test_grey_and_see_through_pictures_become_colour():
    file = io.BytesIO()
    Image.fromarray(PIXELS[..., 0]).save(file, "PNG")
    assert np.array_equal(photos.decoded(file.getvalue()), np.repeat(PIXELS[..., :1], 3, 2))
    file = io.BytesIO()
    Image.fromarray(np.dstack([PIXELS, PIXELS[..., :1]])).save(file, "PNG")
    assert photos.decoded(file.getvalue()).shape == PIXELS.shape


def test_16_bits_become_8():
    deep = PIXELS[..., 0].astype(np.uint16) << 8 | 0x7F
    data = cv2.imencode(".png", deep)[1].tobytes()
    assert np.array_equal(photos.decoded(data), np.repeat(PIXELS[..., :1], 3, 2))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
        b"%PDF-1.7",
        b"GIF89a" + bytes(60),
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff",
        b"BM" + bytes(3),
    ],
)
def test_what_is_no_picture_is_refused(data):
    with pytest.raises(UserError, match="no JPEG, PNG, WebP or BMP picture"):
        photos.decoded(data)


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "PPM", "ICO", "TGA"])
def test_other_kinds_of_picture_are_not_even_looked_into(kind):
    with pytest.raises(UserError, match="no JPEG, PNG, WebP or BMP picture"):
        photos.decoded(encoded(kind))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_cut_picture_is_one_clear_error(kind, share):
    data = encoded(kind, np.repeat(np.repeat(PIXELS, 8, 0), 8, 1))
    with pytest.raises(UserError, match=r"damaged or cut short|no JPEG, PNG, WebP or BMP"):
        photos.decoded(data[: int(share * len(data))])


@pytest.mark.parametrize(("width", "height"), [(8_000, 7_000), (30_000, 30_000), (2_000_000, 2_000_000)])
def test_a_bomb_is_refused_by_its_header(monkeypatch, width, height):
    monkeypatch.setattr(photos, "array", lambda *_: pytest.fail("it was decoded"))
    with pytest.raises(UserError, match=r"million pixels, at most 50 are taken|no JPEG, PNG"):
        photos.decoded(png_header(width, height))


def test_a_large_photo_is_reduced(monkeypatch):
    monkeypatch.setattr(photos, "SIDE", 30)
    assert photos.decoded(encoded("PNG")).shape == (30, 15, 3)
    means = PIXELS.reshape(10, 4, 5, 4, 3).mean((1, 3))  # of all pixels, none is passed over
    assert np.abs(photos.reduced(PIXELS, 10) - means).max() <= 0.5
    assert photos.reduced(PIXELS[:, :1], 10).shape == (10, 1, 3)  # narrower than a pixel


def test_the_last_photos_are_kept_by_names_that_cannot_be_guessed():
    kept = photos.Photos()
    names = [kept.add(np.full((1, 1, 3), number, np.uint8)) for number in range(photos.KEPT)]
    assert len(set(names)) == photos.KEPT
    assert min(map(len, names)) >= 16
    assert kept.get(names[0]).image[0, 0, 0] == 0  # used again, so not the oldest
    kept.add(PIXELS)
    assert kept.get(names[0]).image.shape == (1, 1, 3)
    with pytest.raises(HTTPException, match="no longer kept"):
        kept.get(names[1])
    with pytest.raises(HTTPException, match="no longer kept"):
        kept.get("../../etc/passwd")


def test_a_box_is_whole_pixels_inside_the_photo():
    assert photos.boxed(PIXELS, None) == (0, 0, 20, 40)
    assert photos.boxed(PIXELS, [-5, 3.4, 11.6, 1e9]) == (0, 3, 12, 40)
    assert photos.boxed(PIXELS, [0, -(10**300), 10**300, 40]) == (0, 0, 20, 40)
    for wrong in (
        [1, 2, 3],
        "0,0,9,9",
        [0, 0, "a", 9],
        [0, 0, float("nan"), 9],
        [0, 0, 10**400, 9],
        [0, -(10**400), 9, 9],
        {},
        7,
    ):
        with pytest.raises(UserError, match="four numbers"):
            photos.boxed(PIXELS, wrong)
    assert photos.boxed(PIXELS, [12, 3, 20, 11]) == (12, 3, 20, 11)  # as small as may be
    for small in ([0, 0, 7, 40], [0, 9, 20, 16], [15, 0, 30, 40], [9, 9, 2, 2], [30, 50, 60, 80]):
        with pytest.raises(UserError, match="too small"):
            photos.boxed(PIXELS, small)
