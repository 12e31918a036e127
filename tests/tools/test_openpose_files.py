from functools import partial

import numpy as np
import pytest

from partreid.errors import UserError
from partreid.storage import cache
from partreid.tools import openpose_files
from partreid.tools.openpose_files import SCALES, read
from tools.importing import made


@pytest.fixture
def maps():
    """Order `paper`, 160 x 80 cells: eighteen joints in a column of the image, each in a square of 8 x 8 cells."""
    rng = np.random.default_rng(0)
    result = np.zeros((57, 160, 80), np.float32)
    for joint in range(18):
        result[38 + joint, 8 * joint : 8 * joint + 8, 40:48] = 0.5 + joint / 40
    result[56] = 1 - result[38:56].max(0)
    for limb in range(38):
        row = 4 * limb
        result[limb, row : row + 8, 40:48] = rng.uniform(-1, 1)
    return result


def openpose_order(maps):
    return np.concatenate([maps[38:57], maps[:38]])


def write_float(path, array):
    np.concatenate([[array.ndim], array.shape, array.ravel()]).astype(np.float32).tofile(path)


def built(images, folder, order="paper", scale=3):
    return openpose_files.build(images, folders={"market": str(folder)}, order=order, scale=scale)


def test_maps_are_means_over_cells(maps, tmp_path):
    np.save(tmp_path / "0.npy", maps)
    np.save(tmp_path / "1.npy", maps.transpose(1, 2, 0).astype(np.float64))
    np.savez(tmp_path / "2.npz", maps=maps, other=np.zeros(3))
    header, work = built(made([f"{i}.jpg" for i in range(4)]), tmp_path)
    found = work(0, 4)
    assert header["parameters"]["channels"] == 57
    assert found["status"].tolist() == [0, 0, 0, 1]
    assert found["maps"].shape == (4, 57, 20, 10)
    assert found["maps"].dtype == np.float16
    want = maps.reshape(57, 20, 8, 10, 8).mean((2, 4))
    for row in range(3):
        np.testing.assert_allclose(found["maps"][row], want, atol=1e-3)
    assert not found["maps"][3].any()
    assert found["score"][0] == pytest.approx(np.mean(0.5 + np.arange(18) / 40), abs=1e-3)


def test_all_185_channels_are_kept(maps, tmp_path):
    inner = np.random.default_rng(1).random((128, 160, 80)).astype(np.float32)
    np.save(tmp_path / "0.npy", np.concatenate([maps, inner])[None])
    np.save(tmp_path / "1.npy", maps)  # another number of channels than the first file
    _, work = built(made(["0.jpg", "1.jpg"]), tmp_path)
    found = work(0, 2)
    assert found["status"].tolist() == [0, 2]
    assert found["maps"].shape == (2, 185, 20, 10)
    np.testing.assert_allclose(found["maps"][0, 57:], inner.reshape(128, 20, 8, 10, 8).mean((2, 4)), atol=1e-3)


@pytest.mark.parametrize("name", ["0_pose_heatmaps.float", "0.float"])
def test_openposes_own_files_are_put_in_the_papers_order_without_their_border(name, maps, tmp_path):
    own = openpose_order(maps)
    background = np.zeros((57, 1, 1), np.float32)
    background[18] = 1
    wide = np.concatenate([own, np.broadcast_to(background, (57, 160, 24))], 2)  # a network input of another aspect
    write_float(tmp_path / name, wide)
    _, work = built(made(["a/0.jpg"], height=320, width=160), tmp_path, order="openpose")
    np.testing.assert_allclose(work(0, 1)["maps"][0], maps.reshape(57, 20, 8, 10, 8).mean((2, 4)), atol=1e-3)


@pytest.mark.parametrize("scale", sorted(SCALES))
def test_openposes_scaling_is_undone(scale, maps, tmp_path):
    own = openpose_order(maps)
    parts, limbs = own[:19], own[19:]
    scaled = {
        0: (2 * parts - 1, limbs),
        1: (parts, limbs / 2 + 0.5),
        2: (np.rint(255 * parts), np.rint(limbs * 128.5 + 128.5)),
        3: (parts, limbs),
    }
    write_float(tmp_path / "0.float", np.concatenate(scaled[scale]))
    want = maps.reshape(57, 20, 8, 10, 8).mean((2, 4))
    found = read("openpose", scale, 57, tmp_path / "0.float", 160, 80)
    assert found is not None
    np.testing.assert_allclose(found["maps"], want, atol=0.006)
    if scale != 3:
        with pytest.raises(ValueError, match=r"openpose_files\.scale"):
            read("openpose", 3, 57, tmp_path / "0.float", 160, 80)
    if scale in (0, 1):  # the only ones that look plausible at first sight
        with pytest.raises(ValueError, match=r"openpose_files\.scale"):
            read("openpose", 1 - scale, 57, tmp_path / "0.float", 160, 80)


def test_the_wrong_order_is_noticed(maps, tmp_path):
    np.save(tmp_path / "paper.npy", maps)
    np.save(tmp_path / "own.npy", openpose_order(maps))
    for order, name in (("openpose", "paper"), ("paper", "own")):
        with pytest.raises(ValueError, match=r"is tools\.openpose_files\.order right"):
            read(order, 3, None, tmp_path / f"{name}.npy", 160, 80)


def test_nobody_is_missing(maps, tmp_path):
    maps[:56], maps[56] = 0, 1
    np.save(tmp_path / "0.npy", maps)
    assert read("paper", 3, None, tmp_path / "0.npy", 160, 80)["status"] == cache.MISSING
    header, work = built(made(["0.jpg"]), tmp_path)
    found = work(0, 1)
    assert found["status"].tolist() == [cache.MISSING]
    assert (found["maps"][0, 56] == 1).all()  # the network's maps all the same
    assert header["parameters"]["channels"] == 57


def test_what_holds_no_maps_is_refused_with_the_reason(maps, tmp_path):
    np.save(tmp_path / "body25.npy", np.zeros((78, 20, 10), np.float32))
    with pytest.raises(ValueError, match="--model_pose COCO"):
        read("paper", 3, None, tmp_path / "body25.npy", 160, 80)
    np.save(tmp_path / "all.npy", np.concatenate([openpose_order(maps), np.zeros((128, 160, 80))]))
    with pytest.raises(ValueError, match="185 channels, expected 57"):
        read("openpose", 3, None, tmp_path / "all.npy", 160, 80)
    write_float(tmp_path / "cut.float", openpose_order(maps))
    data = (tmp_path / "cut.float").read_bytes()
    for wrong in (data[:-4], data[:6], b"", b"\xff" * 40, data + b"\x00" * 4):
        (tmp_path / "cut.float").write_bytes(wrong)
        with pytest.raises(ValueError, match="not what OpenPose writes"):
            read("openpose", 3, None, tmp_path / "cut.float", 160, 80)


def test_options_are_checked(tmp_path):
    build = partial(openpose_files.build, made(["0.jpg"]), folders={"market": str(tmp_path)})
    with pytest.raises(UserError, match="unknown order"):
        build(order="coco", scale=3)
    with pytest.raises(UserError, match="expected 3 for order paper"):
        build(order="paper", scale=1)
    with pytest.raises(UserError, match="expected 0, 1, 2 or 3"):
        build(order="openpose", scale=4)


def test_values_that_float16_cannot_hold_are_damage(maps, tmp_path):
    maps = np.concatenate([maps, np.zeros((128, *maps.shape[1:]), np.float32)])
    maps[100] = 1e6  # an inner channel
    np.save(tmp_path / "a.npy", maps)
    with pytest.raises(ValueError, match="far above 1"):
        read("paper", 3, None, tmp_path / "a.npy", 160, 80)
