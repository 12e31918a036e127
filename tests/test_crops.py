import cv2
import numpy as np
import pytest
import torch

from partreid.crops import OUTSIDE, boxes_of, crop


def test_the_box_of_a_rectangle_leaves_out_its_share():
    maps = torch.zeros(1, 20, 10)
    maps[0, 4:14, 2:6] = 1
    boxes, known = boxes_of(maps)
    expected = [0.2 + OUTSIDE * 0.4, 0.2 + OUTSIDE * 0.5, 0.6 - OUTSIDE * 0.4, 0.7 - OUTSIDE * 0.5]
    assert boxes[0].tolist() == pytest.approx(expected, abs=1e-6)
    assert known.tolist() == [True]


def test_an_empty_map_has_no_box_and_a_speck_far_away_moves_none():
    maps = torch.zeros(2, 20, 10)
    maps[1, 0:4, 3:6] = 1
    alone = boxes_of(maps)[0][1]
    maps[1, 19, 9] = 0.5
    boxes, known = boxes_of(maps)
    assert known.tolist() == [False, True]
    assert torch.isfinite(boxes).all()
    assert (boxes[1] - alone).abs().max() < 0.02


def test_scale_says_nothing_and_a_mirrored_map_has_the_mirrored_box():
    maps = torch.rand(3, 8, 6, generator=torch.Generator().manual_seed(0)) ** 8
    boxes, _ = boxes_of(maps)
    assert torch.allclose(boxes_of(maps * 7)[0], boxes, atol=1e-5)
    mirrored = boxes_of(maps.flip(2))[0]
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
