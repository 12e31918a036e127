"""Every kind of label moves as its image does."""

import cv2
import numpy as np
import pytest
import torch

from inputs.slow import Change, changed_field, changed_image, changes
from partreid.body.openpose_layout import BACKGROUND, JOINTS, LIMBS
from partreid.inputs.augmentation import move_images
from partreid.inputs.heads import cut, follow, in_shares, places
from partreid.inputs.images import normalise, resized
from partreid.inputs.kinds import HEADS, KINDS, Label, no_change, partmaps, poses, schp
from partreid.inputs.pixels import heads_of
from partreid.training.data import Augmentation, TrainingSet, assembled, erased, opened, order, parcels

STILL, FLIP = Change(), Change(flip=True)


@pytest.fixture(autouse=True)
def scratch(tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))


STORED = {
    "pifpaf": {"fields": torch.randint(0, 256, (2, 36, 9, 5), dtype=torch.uint8)},
    "schp": {
        "parsing": torch.randint(0, 7, (2, 16, 8), dtype=torch.uint8),
        "person": torch.randint(0, 256, (2, 16, 8), dtype=torch.uint8),
    },
    "poses": {"clusters": torch.tensor([[1, 0, 0], [0, 1, 0]], dtype=torch.uint8)},
    "partmaps": {"maps": torch.rand(2, 185, 20, 10).half()},
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_flip_changes_its_own_image_only(kind):
    made = KINDS[kind](STORED[kind], no_change(2))
    flipped = KINDS[kind](STORED[kind], changes(FLIP, STILL))
    assert not torch.equal(flipped[0], made[0])
    assert torch.allclose(flipped[1], made[1], atol=1e-4)


def test_maps_are_shares_of_one_and_confidences_are_cut_out_of_the_hole():
    whole = KINDS["pifpaf"](STORED["pifpaf"], changes(STILL, Change(hole=(0.0, 0, 1, 1))))
    torch.testing.assert_close(whole[0], STORED["pifpaf"]["fields"][0] / 255)
    assert not whole[1].any()
    parsing = schp(STORED["schp"], no_change(2))[:, :7]
    one_hot = torch.nn.functional.one_hot(STORED["schp"]["parsing"].long(), 7).movedim(3, 1).float()
    torch.testing.assert_close(parsing, one_hot)


def test_a_hole_beside_a_head_leaves_it_whole_and_no_head_is_black():
    head = np.array([[0.4, 0.4, 0.6, 0.6]])
    for hole in ((0.0, 0.4, 0.3, 0.6), (0.4, 0.0, 0.6, 0.3), (0.7, 0.4, 0.9, 0.6), (0.4, 0.7, 0.6, 0.9)):
        y0, x0, y1, x1 = follow(head, Change(hole=hole).numbers()[None])[0, 3:]
        assert 0 <= y0 <= y1 <= 1
        assert 0 <= x0 <= x1 <= 1
        assert (y1 - y0) * (x1 - x0) == 0
    assert not cut(None, np.full(4, np.nan), 8, 4).any()


def test_parsing_flips_in_place():
    made, flipped = (schp(STORED["schp"], change) for change in (no_change(2), changes(FLIP, FLIP)))
    assert torch.allclose(flipped, made.flip(-1), atol=1e-4)


def test_parsing_is_one_hot_and_background_comes_in():
    maps = schp(STORED["schp"], changes(Change(dy=0.25, hole=(0.5, 0, 1, 1)), STILL))
    assert torch.allclose(maps[:, :7].sum(1), torch.ones(2, 16, 8), atol=1e-5)
    assert (maps[0, 0, :4] > 0.999).all()  # background above
    assert (maps[0, 7, :4].abs() < 1e-5).all()  # and nobody
    assert torch.allclose(maps[0, :7, 4:].argmax(0), STORED["schp"]["parsing"][0, :12].long())  # hole is not cut out
    assert torch.allclose(maps[1, 7], STORED["schp"]["person"][1] / 255, atol=1e-4)


def test_a_flip_exchanges_pose_clusters():
    assert poses(STORED["poses"], no_change(2)).tolist() == [[1, 0, 0], [0, 1, 0]]
    assert poses(STORED["poses"], changes(FLIP, FLIP)).tolist() == [[0, 0, 1], [0, 1, 0]]


def test_a_flip_exchanges_joints_and_turns_limbs():
    maps = torch.zeros(1, 57, 20, 10)
    wrist, limb = 38 + JOINTS.index("left_wrist"), LIMBS.index(("left_elbow", "left_wrist"))
    maps[0, wrist, 3, 1] = 1
    maps[0, 2 * limb : 2 * limb + 2, 3, 1] = torch.tensor([0.6, 0.8])
    moved = partmaps({"maps": maps}, changes(FLIP))
    assert moved[0, 38 + JOINTS.index("right_wrist"), 3, 8] == pytest.approx(1, abs=1e-4)
    other = LIMBS.index(("right_elbow", "right_wrist"))
    assert moved[0, 2 * other : 2 * other + 2, 3, 8].tolist() == pytest.approx([-0.6, 0.8], abs=1e-4)


def test_nobody_comes_in_with_a_shift_of_part_maps():
    """Limbs and joints are 0 outside the image; the background, 1 where no joint is, is 1 there."""
    maps = torch.rand(1, 185, 20, 10)
    moved = partmaps({"maps": maps}, changes(Change(dy=0.125, dx=-0.25)))[0]
    for channel in (0, 40, BACKGROUND, 100):
        expected = changed_field(maps[0, channel], Change(dy=0.125, dx=-0.25))
        if channel == BACKGROUND:
            expected += 1 - changed_field(torch.ones(20, 10), Change(dy=0.125, dx=-0.25))
        assert (moved[channel] - expected).abs().max() < 1e-6
    assert (moved[BACKGROUND, :2] == 1).all()


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("shift", [(0.0, 0.0), (0.125, -0.25)])
def test_a_head_is_what_the_changed_image_shows(flip, shift):
    """Cut from the changed image, where the box has moved with it, it is the same but for the image's black border."""
    height, width = 64, 32
    image = np.random.default_rng(0).integers(1, 256, (height, width, 3), dtype=np.uint8)
    box = np.array([8, 16, 24, 40])
    change = Change(flip, *shift, (0.375, 0.25, 0.5, 0.75))
    whole = changed_image(image, change).permute(1, 2, 0).numpy()
    x0, y0, x1, y1 = box
    if flip:
        x0, x1 = width - x1, width - x0
    dy, dx = round(shift[0] * height), round(shift[1] * width)
    moved = np.array([x0 + dx, y0 + dy, x1 + dx, y1 + dy])
    share, row = in_shares(box[None], np.array([[height, width]])), change.numbers()[None]
    np.testing.assert_allclose(places(share, row)[0] * (width, height, width, height), moved, atol=1e-5)
    seen = cut(np.pad(whole, ((16, 16), (16, 16), (0, 0))), moved + 16, 24, 16)
    head = torch.from_numpy(cut(image, box, 24, 16))[None]
    of_head = torch.from_numpy(follow(share, row)).float()
    head = erased(move_images(head, of_head), of_head, "mean")[0].permute(1, 2, 0).numpy()
    inside = cut(np.pad(np.ones_like(whole), ((16, 16), (16, 16), (0, 0))), moved + 16, 24, 16) > 0
    assert inside.mean() > 0.7
    np.testing.assert_array_equal(head[inside], seen[inside])


def batches_of(data, augmentation, repeats=1):
    source = opened(data, augmentation.height, augmentation.width)
    options = {"sampler": "whole", "batches_per_epoch": 0, "seed": 0, "epoch": 0}
    rows = order(data, ids_per_batch=2, images_per_id=2, repeats=repeats, **options)
    return [assembled(parcel, clean=True) for parcel in parcels(source, augmentation, rows, seed=0, epoch=0)]


def test_heads_in_batches_and_in_tests_are_the_same_crop(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (48, 24, 3), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / "0.png"), image[..., ::-1])
    box = np.array([4.2, 3.1, 15.7, 17.9])
    values = {name: np.full(4, value) for name, value in zip(("x0", "y0", "x1", "y1"), box, strict=True)}
    label = Label(values, np.array([True, True, False, True]))
    sizes = np.full((4, 2), (48, 24))
    data = TrainingSet(tmp_path, ["0.png"] * 4, np.array([0, 0, 1, 1]), {HEADS: label}, ["a"] * 4, sizes)
    found = batches_of(data, Augmentation(32, 16, flip=0, pad=0, erase=0), repeats=2)
    assert len(found) == 2
    boxes = np.stack([box, box, np.full(4, np.nan), box])
    crops = np.empty((4, 32, 16, 3), np.uint8)
    heads_of(tmp_path, ["0.png"] * 4, boxes, 32, 16).rows(np.arange(4), crops)
    wanted = normalise(torch.from_numpy(crops))
    for batch in found:
        assert torch.equal(batch.labels[HEADS], wanted[batch.rows])
        assert batch.labelled[HEADS].tolist() == (batch.rows != 2).tolist()
        for row, place_of_it in zip(batch.rows.tolist(), batch.labels["head_boxes"], strict=True):
            expected = torch.full((4,), torch.nan) if row == 2 else torch.tensor(box / (24, 48, 24, 48)).float()
            assert torch.allclose(place_of_it, expected, equal_nan=True)
        assert torch.equal(batch.images, batch.clean)
        assert torch.equal(batch.images[0], normalise(torch.from_numpy(resized(image, 32, 16))[None])[0])
    assert (wanted[0] == normalise(torch.from_numpy(resized(image[3:18, 4:16].copy(), 32, 16))[None])[0]).all()


def test_the_clean_image_lacks_only_the_hole(tmp_path):
    cv2.imwrite(str(tmp_path / "0.png"), np.random.default_rng(0).integers(0, 100, (48, 24, 3), dtype=np.uint8))
    data = TrainingSet(tmp_path, ["0.png"] * 4, np.array([0, 0, 1, 1]), {}, ["a"] * 4)
    (batch,) = batches_of(data, Augmentation(32, 16, flip=0.5, pad=2, erase=1))
    y0, x0, y1, x1 = (batch.changes[:, 3:] * torch.tensor([32, 16, 32, 16])).round().int().unbind(1)
    for number in range(4):
        hole = torch.zeros(32, 16, dtype=torch.bool)
        hole[y0[number] : y1[number], x0[number] : x1[number]] = True
        assert hole.any()
        differ = (batch.images[number] != batch.clean[number]).any(0)
        assert torch.equal(differ, hole)
