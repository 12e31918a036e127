import numpy as np
import pytest
import torch

from inputs.slow import NOTHING, Change, changed_field, changed_image, changes, covered, move_image, of_row
from partreid.body.skeleton import FIELD_MIRROR, FIELDS
from partreid.inputs import augmentation
from partreid.inputs.augmentation import (
    change_fields,
    draw,
    draw_holes,
    draw_lights,
    erase_fields,
    erase_images,
    erase_pixels,
    holes,
    move_images,
    relit,
)
from partreid.inputs.images import normalise

FLIP = Change(flip=True)


def drawn(count, height, width, seed=0):
    rng = np.random.default_rng(seed)
    return torch.from_numpy(draw(rng, count, height, width, flip=0.5, pad=5, erase=0.7).astype(np.float32))


def apply(fields, change, mirror=None):
    return erase_fields(change_fields(fields[None], changes(change), mirror), changes(change))[0]


# at 41 x 47 a pixel's share of the size, multiplied by the size, is a little less than a pixel
@pytest.mark.parametrize("size", [(32, 16), (30, 14), (41, 47)])
def test_images_are_bit_for_bit_what_is_obvious(size):
    images = torch.randint(0, 256, (24, *size, 3), dtype=torch.uint8)
    made = drawn(24, *size)
    found = normalise(erase_pixels(move_images(images, made), made))
    assert found.is_contiguous(memory_format=torch.channels_last)
    for image, result, row in zip(images.numpy(), found, made, strict=True):
        assert torch.equal(result, changed_image(image, of_row(row)))


@pytest.mark.parametrize("size", [(32, 16), (41, 47)])
def test_a_gpus_gather_is_what_the_cpu_does_image_by_image(size):
    images, made = torch.randint(0, 256, (24, *size, 3), dtype=torch.uint8), drawn(24, *size)
    assert torch.equal(augmentation._gather(images, made), move_images(images, made))
    # erasing as a GPU does it, also where a hole ends inside a pixel, as of another image's size
    colour = torch.tensor([124, 116, 104], dtype=torch.uint8)
    for hole in (made, drawn(24, 33, 19)):
        assert torch.equal(torch.where(holes(hole, *size)[..., None], colour, images), erase_pixels(images, hole))


@pytest.mark.parametrize("cells", [(9, 5), (16, 8)])  # at 16 x 8 a centre can lie on a hole's edge
def test_holes_cover_the_cells_whose_centres_they_cover(cells):
    made = drawn(16, 32, 16)
    for found, row in zip(holes(made, *cells), made, strict=True):
        assert (found.numpy() == covered(of_row(row), *cells)).all()


@pytest.mark.parametrize("kind", [torch.float32, torch.float16, torch.uint8])
def test_fields_are_what_is_obvious(kind):
    values = torch.randint(0, 256, (24, 4, 17, 9))
    fields = (values if kind == torch.uint8 else values / 256).to(kind)
    made = drawn(24, 256, 128)
    mirror = (1, 0, 2, 3)
    found = change_fields(fields, made, mirror) / (255 if kind == torch.uint8 else 1)
    scale = 255 if kind == torch.uint8 else 1
    for given, result, row in zip(fields, found, made, strict=True):
        change = of_row(row)
        for channel in range(4):
            one = given[mirror[channel] if change.flip else channel].double() / scale
            assert (changed_field(one, change) - result[channel]).abs().max() < 1e-6


def test_flip_twice_is_identity():
    images = torch.randint(0, 256, (1, 16, 8, 3), dtype=torch.uint8)
    assert torch.equal(move_images(move_images(images, changes(FLIP)), changes(FLIP)), images)
    fields = torch.rand(36, 9, 5)
    assert torch.allclose(apply(apply(fields, FLIP, FIELD_MIRROR), FLIP, FIELD_MIRROR), fields, atol=1e-5)


def test_flip_exchanges_left_and_right():
    fields = torch.zeros(36, 4, 6)
    fields[FIELDS.index("left_wrist"), 1, 0] = 1
    flipped = apply(fields, FLIP, FIELD_MIRROR)
    assert flipped[FIELDS.index("right_wrist"), 1, 5] == pytest.approx(1)
    assert flipped.sum() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize(("dy", "dx"), [(0, 0), (4, -2), (-8, 4)])
def test_image_and_fields_move_together(flip, dy, dx):
    """A field that is the image itself, at the image's size, must change as the image does."""
    height, width = 32, 16
    image = np.random.default_rng(1).integers(1, 255, (height, width, 3), dtype=np.uint8)
    change = Change(flip, dy / height, dx / width, NOTHING)
    field = torch.from_numpy(image[:, :, 0] / 255).float()[None]
    moved = apply(field, change)[0] * 255
    assert np.allclose(moved.numpy(), move_image(image, change)[:, :, 0], atol=0.01)


def test_hole_is_mean_colour_in_the_image_and_background_in_the_fields():
    change = Change(hole=(0.25, 0.5, 0.75, 1.0))
    image = erase_pixels(torch.zeros(1, 8, 4, 3, dtype=torch.uint8), changes(change))[0].numpy()
    fields = apply(torch.ones(3, 8, 4), change)
    inside = np.zeros((8, 4), bool)
    inside[2:6, 2:4] = True
    assert (image[inside] == (124, 116, 104)).all()
    assert (image[~inside] == 0).all()
    assert (fields.numpy() == ~inside).all()


def test_the_mean_colour_fills_normalised_images_as_it_fills_pixels():
    images, made = torch.randint(0, 256, (8, 32, 16, 3), dtype=torch.uint8), drawn(8, 32, 16)
    assert torch.equal(erase_images(normalise(images), made), normalise(erase_pixels(images, made)))


def test_the_codes_filling_is_the_mean_colours_own_numbers():
    change = Change(hole=(0, 0, 0.5, 1.0))
    image = erase_images(torch.full((1, 3, 4, 2), 7.0), changes(change), "raw")[0]
    assert torch.allclose(image[:, 0, 0], torch.tensor([0.485, 0.456, 0.406]))
    assert (image[:, 2:] == 7).all()


def test_jitter_changes_brightness_then_contrast():
    images = np.random.default_rng(0).integers(0, 256, (5, 6, 4, 3), dtype=np.uint8)
    lights = np.concatenate([draw_lights(np.random.default_rng(5), 4, 1), [[1.2, 1.15]]])  # the last: whiter than white
    for image, found, (brightness, contrast) in zip(
        images, relit(torch.from_numpy(images), torch.from_numpy(lights)).numpy(), lights, strict=True
    ):
        bright = np.clip(image.astype(float) * brightness, 0, 255)
        grey = np.mean([0.299 * r + 0.587 * g + 0.114 * b for r, g, b in bright.reshape(-1, 3)])
        for y, x, c in np.ndindex(6, 4, 3):
            expected = min(max(grey + contrast * (bright[y, x, c] - grey), 0), 255)
            assert abs(int(found[y, x, c]) - expected) <= 0.5001
        assert not np.array_equal(found, image)


def test_jitter_is_as_strong_and_as_frequent_as_the_codes():
    lights = draw_lights(np.random.default_rng(0), 2000, 0.25)
    changed = lights[(lights != 1).any(1)]
    assert len(changed) / 2000 == pytest.approx(0.25, abs=0.03)
    for column, extent in enumerate((0.2, 0.15)):
        assert np.abs(changed[:, column] - 1).max() <= extent
        assert np.abs(changed[:, column] - 1).max() > 0.95 * extent


def test_holes_have_the_papers_area_and_ratio():
    found = draw_holes(np.random.default_rng(0), 4000, 256, 128)
    h, w = found[:, 2] - found[:, 0], found[:, 3] - found[:, 1]
    area, ratio = h * w / (256 * 128), h / w
    assert area.min() > 0.015
    assert area.max() < 0.41
    assert ratio.min() > 0.28
    assert ratio.max() < 3.5
    # uniform, not uniform in the logarithm, where half would be below 1. What does not fit is drawn anew, which takes
    # some of the wide ones and few of the high ones
    small = area < 0.1
    assert np.mean(ratio[small] < 1) == pytest.approx((1 - 0.3) / (1 / 0.3 - 0.3), abs=0.03)
    assert (found[:, 2] <= 256).all()
    assert (found[:, 3] <= 128).all()


@pytest.mark.parametrize("size", [(3, 3), (8, 64), (64, 8)])
def test_holes_lie_anywhere_in_an_image_of_any_shape_but_never_across_all_of_it(size):
    y0, x0, y1, x1 = draw_holes(np.random.default_rng(0), 4000, *size).T
    for low, high, extent in ((y0, y1, size[0]), (x0, x1, size[1])):
        assert (high - low).min() >= 1
        assert (high - low).max() < extent
        assert (low.min(), high.max()) == (0, extent)
        first, last = (low == 0).mean(), (high == extent).mean()
        assert first == pytest.approx(last, abs=0.03)


def test_what_never_fits_has_no_hole():
    assert (draw_holes(np.random.default_rng(0), 5, 1, 1) == 0).all()


def test_probabilities():
    found = draw(np.random.default_rng(0), 1000, 64, 32, flip=0.5, pad=4, erase=0.25)
    assert found[:, 0].mean() == pytest.approx(0.5, abs=0.05)
    assert (found[:, 3:] != 0).any(1).mean() == pytest.approx(0.25, abs=0.05)
    assert set(np.rint(found[:, 1] * 64)) == set(range(-4, 5))
    assert set(np.rint(found[:, 2] * 32)) == set(range(-4, 5))
    assert (draw(np.random.default_rng(0), 3, 64, 32, flip=0, pad=0, erase=0) == 0).all()
