"""MPN's prior on pictures, and how many training images it says nothing of."""

import numpy as np
import torch

from partreid.inputs.kinds import Label
from partreid.methods.mpn_prior import Limits, Prior
from partreid.report import mpn


def labels(count, heads, legs, known):
    parsing = np.zeros((count, 8, 4), np.uint8)
    parsing[list(heads), :2] = 1
    parsing[list(legs), 6:] = 5
    status = np.zeros(count, bool)
    status[list(known)] = True
    return Label({"parsing": parsing, "person": np.zeros((count, 8, 4), np.uint8)}, status)


def test_images_without_a_head_a_leg_or_a_label_are_divided_evenly(monkeypatch):
    monkeypatch.setattr(mpn, "STRIDE", 2)  # read in several pieces
    found = mpn.divided_evenly(labels(5, heads=(0, 1, 3, 4), legs=(0, 2, 3, 4), known=(0, 1, 2, 4)), Limits(0.1, 0.1))
    assert found.tolist() == [False, True, True, True, False]
    assert "Of the 5 training images 3 (60.0 %)" in mpn.told_share(found)


def test_outside_the_mask_is_dark_and_lines_divide_the_body():
    image = np.full((40, 20, 3), 200, np.uint8)
    mask = np.zeros((4, 2))
    mask[1:3, 0] = 1
    drawn = mpn.drawn(image, mask, 1, 2, 2)
    assert (drawn[11:20, :10] == 200).all()
    assert (drawn[11:20, 10:] == 60).all()
    assert (drawn[:10] == 60).all()
    for border in (10, 20, 30):
        assert (drawn[border] == 255).all()
    assert (drawn == 255).all((1, 2)).sum() == 3


def test_a_row_for_each_image():
    image = np.zeros((64, 32, 3), np.uint8)
    prior = Prior(torch.ones(2, 4, 2), torch.tensor([0, 1]), torch.tensor([3, 2]))
    one = Prior(prior.mask[:1], prior.top[:1], prior.bottom[:1])
    assert mpn.picture([image] * 2, prior, 2).shape[0] > 1.5 * mpn.picture([image], one, 2).shape[0]
