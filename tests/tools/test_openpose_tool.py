import pickle

import cv2
import numpy as np
import pytest
import torch

from partreid.backbones import openpose as networks
from partreid.errors import UserError
from partreid.storage import cache, image_table, published_weights
from partreid.storage.files import sha256
from partreid.tools import openpose
from partreid.tools.base import Images


def images(root, paths) -> Images:
    row = {"split": "train", "pid": 1, "width": 20, "height": 40, "sha1": "0"}
    return Images(
        "tiny", image_table.build([{**row, "path": path} for path in paths], {}), "hash", root, root / "t.parquet"
    )


@pytest.fixture
def file(tmp_path, monkeypatch):
    """Random weights of the first two stages, in the cache under the published name; every joint's map is 0.6."""
    monkeypatch.setenv("PARTREID_CACHE", str(tmp_path / "cache"))
    torch.manual_seed(1)
    state = networks.OpenPose(2).state_dict()
    state["Mconv7_stage2_L2.weight"].zero_()
    state["Mconv7_stage2_L2.bias"].fill_(0.6)
    file = tmp_path / "cache" / published_weights.WEIGHTS["openpose_coco"].file
    file.parent.mkdir()
    torch.save(state, file)
    return file


def test_images_become_maps_and_broken_ones_failed_rows(tmp_path, file):
    generator = np.random.default_rng(1)
    for name, size in {"a.png": (40, 20), "b.png": (1, 1), "c.png": (400, 200)}.items():
        cv2.imwrite(str(tmp_path / name), generator.integers(0, 256, (*size, 3), dtype=np.uint8))
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8")
    (tmp_path / "empty.png").touch()
    listed = images(tmp_path, ["a.png", "broken.jpg", "b.png", "empty.png", "c.png"])
    header, work = openpose.build(listed, batch=2)
    assert (header["kind"], header["tool"], header["table"]) == ("tool/openpose", "openpose", "hash")
    assert header["weights"] == sha256(file)
    found = pickle.loads(pickle.dumps(work))(0, 5)
    assert found["status"].tolist() == [0, 2, 0, 2, 0]
    np.testing.assert_allclose(found["score"], [0.6, 0, 0.6, 0, 0.6], rtol=1e-5)
    assert (found["maps"].dtype, found["maps"].shape) == (np.float16, (5, 185, 20, 10))
    assert not found["maps"][[1, 3]].any()
    # slowly: one image through the network by hand
    network = networks.OpenPose(2)
    networks.load(network, file)
    image = cv2.imread(str(tmp_path / "c.png"))  # BGR
    small = cv2.resize(image, (80, 160), interpolation=cv2.INTER_AREA)
    with torch.inference_mode():
        maps = network(torch.from_numpy(small.transpose(2, 0, 1)[None].astype(np.float32) / 256 - 0.5))
    np.testing.assert_allclose(found["maps"][4], maps[0].numpy(), atol=2e-3)
    np.testing.assert_array_equal(found["maps"][4, 38:57], np.float16(0.6))
    assert tuple(8 * side for side in openpose.SHAPE[1:]) == openpose.INPUT


def test_fewer_than_four_joints_are_nobody():
    maps = np.zeros((3, *openpose.SHAPE), np.float32)
    maps[:, :38] = maps[:, 56:] = 5  # limbs, the joints' background and features do not count
    maps[0, 38:42, 3, 7] = [0.2, 0.4, 0.6, 1.2]  # the last is more than a probability
    maps[1, 38:41, 3, 7] = 0.9
    maps[1, 42, 3, 7] = 0.09  # not seen
    status, score = openpose.judge(maps)
    assert status.tolist() == [cache.OK, cache.MISSING, cache.MISSING]
    np.testing.assert_allclose(score, [(0.2 + 0.4 + 0.6 + 1) / 4, 0, 0], rtol=1e-6)


def test_bad_options_and_missing_weights_are_user_errors(tmp_path, monkeypatch):
    monkeypatch.setenv("PARTREID_CACHE", str(tmp_path / "nothing"))
    with pytest.raises(UserError, match="batch is 0"):
        openpose.build(images(tmp_path, ["a.png"]), batch=0)
    with pytest.raises(UserError, match="NON-COMMERCIAL"):
        openpose.build(images(tmp_path, ["a.png"]), batch=2)


def test_maps_of_nobody_are_the_networks_all_the_same(tmp_path, file):
    state = torch.load(file, weights_only=True)
    state["Mconv7_stage2_L2.bias"].fill_(0.01)  # no joint is seen
    torch.save(state, file)
    cv2.imwrite(str(tmp_path / "a.png"), np.full((40, 20, 3), 90, np.uint8))
    openpose._network.cache_clear()
    _, work = openpose.build(images(tmp_path, ["a.png"]), batch=1)
    found = work(0, 1)
    openpose._network.cache_clear()
    assert found["status"].tolist() == [cache.MISSING]
    np.testing.assert_array_equal(found["maps"][0, 38:57], np.float16(0.01))
    assert found["maps"][0, 57:].any()
