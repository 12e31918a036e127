"""MPN's prior against slow loops over figure 5, and its fall-backs."""

import numpy as np
import pytest
import torch

from partreid.body.parsing import PARSING
from partreid.layers.strips import resize_rows, strip_rows, uniform_strips
from partreid.methods.mpn_prior import PRIORS, Limits, Prior, body, dilate, part_maps, whole

HEAD, TORSO, UPPER_LEGS, LOWER_LEGS = (PARSING.index(n) for n in ("head", "torso", "upper_legs", "lower_legs"))
LIMITS = Limits(0.002, 0.004)


def standing(top=24, bottom=104, left=16, right=48, parts=(HEAD, TORSO, UPPER_LEGS, LOWER_LEGS)):
    """One person between two rows of a 128 x 64 label, its parts of equal height, no person mask: (1, 8, 128, 64)."""
    classes = torch.zeros(128, 64, dtype=torch.int64)
    for part, rows in zip(parts, torch.arange(top, bottom).chunk(len(parts)), strict=True):
        classes[rows[0] : rows[-1] + 1, left:right] = part
    maps = torch.nn.functional.one_hot(classes, 7).permute(2, 0, 1).float()
    return torch.cat([maps, torch.zeros(1, 128, 64)])[None]


def seen(schp, labelled=True):
    return body(schp, torch.full((len(schp),), labelled), (24, 8), LIMITS)


def test_the_mask_is_the_body_and_its_right_neighbours():
    prior = seen(standing(24, 104, 16, 48))  # rows 4.5 to 19.5 and columns 2 to 6 of 24 x 8
    expected = torch.zeros(24, 8)
    expected[4:20, 2:7] = 1  # a cell half covered counts; columns 2..5, and 6 by the 1 x 2 kernel
    assert torch.equal(prior.mask[0], expected)
    assert (prior.top.item(), prior.bottom.item()) == (4, 19)


def test_the_union_takes_what_only_the_segmentation_shows():
    schp = standing(24, 104, 16, 48)
    schp[:, 7, 40:60, 0:16] = 0.5  # a bag beside the body, just probable enough
    schp[:, 7, 0:16, 0:16] = 0.49
    schp[:, [0, TORSO], 0:16, 32:] = 0.5  # just background
    M = seen(schp).mask[0]
    assert M[9:11, 0:2].all()
    assert not M[0:3].any()


@pytest.mark.parametrize("parts", [(TORSO, UPPER_LEGS, LOWER_LEGS), (HEAD, TORSO), (0, 0)])
def test_without_head_or_leg_the_image_is_divided_evenly(parts):
    prior = seen(standing(parts=parts))
    assert prior.mask.all()
    assert (prior.top.item(), prior.bottom.item()) == (0, 23)


def test_one_kind_of_leg_is_enough():
    assert seen(standing(parts=(HEAD, TORSO, UPPER_LEGS))).top.item() == 4
    assert seen(standing(parts=(HEAD, TORSO, LOWER_LEGS))).top.item() == 4


def test_thresholds_are_shares_of_the_label_map():
    schp = standing(parts=(HEAD, TORSO, UPPER_LEGS, LOWER_LEGS))
    share = float(schp[0, HEAD].mean())
    for head, expected in ((share * 0.99, 4), (share, 4), (share * 1.01, 0)):
        assert body(schp, torch.tensor([True]), (24, 8), Limits(head, 0.0)).top.item() == expected
    for leg, expected in ((share * 1.99, 4), (share * 2.01, 0)):
        assert body(schp, torch.tensor([True]), (24, 8), Limits(0.0, leg)).top.item() == expected


def test_an_unlabelled_image_falls_back_alone():
    prior = body(standing().repeat(2, 1, 1, 1), torch.tensor([True, False]), (24, 8), LIMITS)
    assert not prior.mask[0].all()
    assert prior.mask[1].all()
    assert prior.top.tolist() == [4, 0]


def test_a_body_that_vanishes_at_the_feature_map_falls_back():
    schp = standing(60, 64, 30, 33)  # a speck, with thresholds that let it pass
    prior = body(schp, torch.tensor([True]), (24, 8), Limits(0.0, 0.0))
    assert prior.mask.all()
    assert prior.bottom.item() == 23


def test_dilation_against_a_loop():
    mask = (torch.rand(3, 5, 6, generator=torch.Generator().manual_seed(0)) < 0.3).float()
    wide = dilate(mask)
    for b, y, x in np.ndindex(3, 5, 6):
        assert wide[b, y, x] == max(mask[b, y, x], mask[b, y, x - 1] if x else 0)


def test_the_other_priors():
    schp, labelled = standing(), torch.tensor([True])
    ours = PRIORS["ours"](schp, labelled, (24, 8), LIMITS)
    roi = PRIORS["roi_resize"](schp, labelled, (24, 8), LIMITS)
    uniform = whole((1, 24, 8), schp.device)
    assert roi.mask.all()
    assert (roi.top, roi.bottom) == (ours.top, ours.bottom)
    assert uniform.mask.all()
    assert (uniform.top.item(), uniform.bottom.item()) == (0, 23)


def slow_part_maps(features, mask, top, bottom, parts):
    """Figure 5b, cell by cell. features (C, h, w) -> list of K arrays (C, r, w)."""
    C, h, w = features.shape
    masked = features * mask
    rows = parts * int(np.ceil(h / parts))
    resized = np.zeros((C, rows, w))
    length = bottom - top + 1
    for y in range(rows):
        source = (y + 0.5) * length / rows - 0.5
        source = min(max(source, 0), length - 1)
        low = int(np.floor(source))
        high = min(low + 1, length - 1)
        share = source - low
        resized[:, y] = (1 - share) * masked[:, top + low] + share * masked[:, top + high]
    return np.split(resized, parts, axis=1)


@pytest.mark.parametrize(("h", "parts"), [(24, 6), (24, 4), (8, 6), (7, 3)])
def test_part_maps_against_a_loop(h, parts):
    generator = torch.Generator().manual_seed(1)
    features = torch.randn(3, 5, h, 4, generator=generator, dtype=torch.float64).float()
    mask = (torch.rand(3, h, 4, generator=generator) < 0.7).float()
    top, bottom = torch.tensor([0, 2, h - 1]), torch.tensor([h - 1, h - 2, h - 1])
    P = part_maps(features, Prior(mask, top, bottom), parts)
    for b in range(3):
        expected = slow_part_maps(features[b].numpy(), mask[b].numpy(), int(top[b]), int(bottom[b]), parts)
        for k in range(parts):
            cells = expected[k].transpose(1, 2, 0).reshape(-1, 5)  # (r w, C)
            assert np.allclose(P[b, k].numpy(), cells, atol=1e-5)


def test_resizing_rows_is_pytorchs_bilinear_interpolation():
    column = torch.randn(1, 1, 24, 1)
    for top, bottom in ((0, 23), (3, 17), (5, 5)):
        A = resize_rows(torch.tensor([top]), torch.tensor([bottom]), 24, 24)
        inside = column[:, :, top : bottom + 1]
        expected = torch.nn.functional.interpolate(inside, (24, 1), mode="bilinear", align_corners=False)
        assert torch.allclose(A[0] @ column[0, 0], expected[0, 0], atol=1e-6)


def test_the_rows_of_a_strip_are_those_it_depends_on():
    assert strip_rows(24, 6).float().argmax(1).tolist() == [0, 4, 8, 12, 16, 20]
    assert (strip_rows(24, 6).sum(0) == 1).all()
    for h, parts in ((8, 6), (7, 3)):
        features = torch.rand(1, 1, h, 2).requires_grad_()
        for k in range(parts):
            (gradient,) = torch.autograd.grad(uniform_strips(features, parts)[:, k].sum(), features)
            assert torch.equal(gradient[0, 0, :, 0] > 0, strip_rows(h, parts)[k])


def test_uniform_strips_of_the_papers_size_are_the_features_themselves():
    features = torch.randn(2, 5, 24, 8)
    P = uniform_strips(features, 6)
    assert P.shape == (2, 6, 32, 5)
    for k in range(6):
        assert torch.equal(P[:, k], features[:, :, 4 * k : 4 * k + 4].flatten(2).transpose(1, 2))
    everything = whole((2, 24, 8), features.device)
    assert torch.equal(part_maps(features, everything, 6), P)


@pytest.mark.parametrize(("coverage", "rows"), [(0.5, 3), (0.25, 4)])
def test_a_cell_is_body_where_enough_of_it_is(coverage, rows):
    schp = standing(20, 56, 16, 48)  # rows 1.875 to 5.25 of 12
    prior = body(schp, torch.tensor([True]), (12, 4), Limits(0.002, 0.004, coverage))
    assert (prior.top.item(), prior.bottom.item()) == (2, 1 + rows)
