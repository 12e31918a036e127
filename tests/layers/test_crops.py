import cv2
import numpy as np
import pytest
import torch

from partreid.layers.crops import OUTSIDE, boxes_of, crop, shares


def test_the_box_of_a_rectangle_leaves_out_its_share():
    maps = torch.zeros(1, 20, 10)
    maps[0, 4:14, 2:6] = 1
    boxes = boxes_of(maps)
    expected = [0.2 + OUTSIDE * 0.4, 0.2 + OUTSIDE * 0.5, 0.6 - OUTSIDE * 0.4, 0.7 - OUTSIDE * 0.5]
    assert boxes[0].tolist() == pytest.approx(expected, abs=1e-6)


def test_a_speck_far_away_moves_no_box():
    maps = torch.zeros(1, 20, 10)
    maps[0, 0:4, 3:6] = 1
    alone = boxes_of(maps)
    maps[0, 19, 9] = 0.2
    assert (boxes_of(maps) - alone).abs().max() < 0.02


def test_shares_of_a_box_by_a_fine_raster():
    boxes = torch.tensor([[0.13, 0.21, 0.48, 0.77], [-0.3, 0.5, 0.2, 1.4], [0.31, 0.32, 0.33, 0.34]])
    found = shares(boxes, (5, 4))
    fine = (torch.arange(2000) + 0.5) / 2000
    for box, share in zip(boxes.tolist(), found, strict=True):
        inside = ((fine >= box[1]) & (fine < box[3]))[:, None] & ((fine >= box[0]) & (fine < box[2]))[None, :]
        counted = inside.view(5, 400, 4, 500).sum((1, 3)) / inside.sum()
        assert torch.allclose(share, counted, atol=5e-3)


def test_a_box_outside_and_no_box_have_no_shares():
    boxes = torch.tensor([[1.1, 0.2, 1.4, 0.5], [torch.nan] * 4, [0.0, 0, 1, 1]])
    assert shares(boxes, (4, 2)).sum((1, 2)).tolist() == [0, 0, 1]


def test_the_box_of_a_boxs_shares_is_the_box_less_its_edge():
    box = torch.tensor([[0.3, 0.1, 0.7, 0.4]])
    assert torch.allclose(boxes_of(shares(box, (32, 16))), box, atol=0.04)


def test_scale_says_nothing_and_a_mirrored_map_has_the_mirrored_box():
    maps = torch.rand(3, 8, 6, generator=torch.Generator().manual_seed(0)) ** 8
    boxes = boxes_of(maps)
    assert torch.allclose(boxes_of(maps * 7), boxes, atol=1e-5)
    mirrored = boxes_of(maps.flip(2))
    assert torch.allclose(mirrored, torch.stack([1 - boxes[:, 2], boxes[:, 1], 1 - boxes[:, 0], boxes[:, 3]], 1))


def test_the_whole_image_is_the_image():
    images = torch.randn(2, 3, 8, 4)
    assert torch.allclose(crop(images, torch.tensor([[0.0, 0, 1, 1]] * 2)), images, atol=1e-5)


def test_crop_is_opencvs_resize_of_the_box():
    picture = np.random.default_rng(0).random((40, 20, 3), np.float32)
    inside = picture[4:24, 5:15]
    expected = cv2.resize(inside, (20, 40), interpolation=cv2.INTER_LINEAR)
    images = torch.from_numpy(picture).permute(2, 0, 1)[None]
    found = crop(images, torch.tensor([[5 / 20, 4 / 40, 15 / 20, 24 / 40]]))[0].permute(1, 2, 0).numpy()
    assert np.allclose(found[2:-2, 2:-2], expected[2:-2, 2:-2], atol=1e-5)  # at the border OpenCV sees the box alone
