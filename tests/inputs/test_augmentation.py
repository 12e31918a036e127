import numpy as np
import pytest
import torch

from partreid.body.skeleton import FIELD_MIRROR, FIELDS
from partreid.inputs.augmentation import (
    Change,
    change_fields,
    draw,
    draw_hole,
    erase_fields,
    erase_images,
    jitter,
    move_image,
)
from partreid.inputs.images import normalise

NOTHING = (0.0, 0.0, 0.0, 0.0)
FLIP = Change(True, 0, 0, NOTHING)


def apply(fields, change, mirror=tuple(range(36))):
    changes = torch.from_numpy(change.numbers())[None]
    return erase_fields(change_fields(fields[None], changes, mirror[: fields.shape[0]]), changes)[0]


def test_flip_twice_is_identity():
    image = np.random.default_rng(0).integers(0, 256, (16, 8, 3), dtype=np.uint8)
    assert np.array_equal(move_image(move_image(image, FLIP), FLIP), image)
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
    change = Change(False, 0, 0, (0.25, 0.5, 0.75, 1.0))
    black, grey = (
        normalise(torch.tensor(colour, dtype=torch.uint8)[None, None, None]) for colour in ((0, 0, 0), (124, 116, 104))
    )
    image = erase_images(black.expand(1, 3, 8, 4), torch.from_numpy(change.numbers())[None])[0]
    fields = apply(torch.ones(3, 8, 4), change)
    inside = np.zeros((8, 4), bool)
    inside[2:6, 2:4] = True
    assert (image[:, inside] == grey[0, :, 0]).all()
    assert (image[:, ~inside] == black[0, :, 0]).all()
    assert (fields.numpy() == ~inside).all()


def test_the_codes_filling_is_the_mean_colours_own_numbers():
    changes = torch.from_numpy(Change(False, 0, 0, (0, 0, 0.5, 1.0)).numbers())[None]
    image = erase_images(torch.full((1, 3, 4, 2), 7.0), changes, "raw")[0]
    assert torch.allclose(image[:, 0, 0], torch.tensor([0.485, 0.456, 0.406]))
    assert (image[:, 2:] == 7).all()


def test_holes_have_the_papers_area_and_ratio():
    rng = np.random.default_rng(0)
    holes = np.array([draw_hole(rng, 256, 128) for _ in range(300)])
    h, w = holes[:, 2] - holes[:, 0], holes[:, 3] - holes[:, 1]
    area, ratio = h * w / (256 * 128), h / w
    assert area.min() > 0.015
    assert area.max() < 0.41
    assert ratio.min() > 0.25
    assert ratio.max() < 4
    assert (holes[:, 2] <= 256).all()
    assert (holes[:, 3] <= 128).all()


def test_probabilities():
    rng = np.random.default_rng(0)
    changes = [draw(rng, 64, 32, flip=0.5, pad=4, erase=0.25) for _ in range(1000)]
    assert np.mean([c.flip for c in changes]) == pytest.approx(0.5, abs=0.05)
    assert np.mean([c.hole != NOTHING for c in changes]) == pytest.approx(0.25, abs=0.05)
    assert {round(c.dy * 64) for c in changes} == set(range(-4, 5))
    still = draw(rng, 64, 32, flip=0, pad=0, erase=0)
    assert still == Change(False, 0, 0, NOTHING)


def test_jitter_changes_brightness_then_contrast():
    image = np.random.default_rng(0).integers(0, 256, (6, 4, 3), dtype=np.uint8)
    found = jitter(image, np.random.default_rng(5))
    rng = np.random.default_rng(5)
    brightness, contrast = rng.uniform(0.8, 1.2), rng.uniform(0.85, 1.15)
    bright = np.clip(image.astype(float) * brightness, 0, 255)
    grey = np.mean([0.299 * r + 0.587 * g + 0.114 * b for r, g, b in bright.reshape(-1, 3)])
    for y, x, c in np.ndindex(6, 4, 3):
        expected = min(max(grey + contrast * (bright[y, x, c] - grey), 0), 255)
        assert abs(int(found[y, x, c]) - expected) <= 0.5001
    assert not np.array_equal(found, image)
