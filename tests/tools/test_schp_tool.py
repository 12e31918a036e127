import pickle
from functools import partial

import cv2
import numpy as np
import pytest
import torch

from partreid.backbones import schp as networks
from partreid.body.parsing import PARSING
from partreid.errors import UserError
from partreid.storage import cache, image_table, published_weights
from partreid.storage.files import sha256
from partreid.tools import schp
from partreid.tools.base import Images

SIZES = {"a.png": (40, 20), "b.png": (1, 1), "c.png": (30, 60)}  # height, width


def images(root, paths) -> Images:
    row = {"split": "train", "pid": 1, "width": 20, "height": 40, "sha1": "0"}
    return Images(
        "tiny", image_table.build([{**row, "path": path} for path in paths], {}), "hash", root, root / "t.parquet"
    )


@pytest.fixture
def root(tmp_path):
    generator = np.random.default_rng(1)
    for name, size in SIZES.items():
        cv2.imwrite(str(tmp_path / name), generator.integers(0, 256, (*size, 3), dtype=np.uint8))
    (tmp_path / "broken.png").write_bytes(b"")
    return tmp_path


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A network with one bottleneck per stage and small squares, its random weights in the cache as the published."""
    monkeypatch.setenv("PARTREID_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(networks, "SCHP", partial(networks.SCHP, layers=(1, 1, 1, 1)))
    monkeypatch.setitem(schp.NETWORKS, "schp_lip", schp.Published(schp.LIP, 65))
    torch.manual_seed(1)
    state = networks.SCHP(20).state_dict()
    state["fushion.3.weight"] *= 1000  # else random weights see the same everywhere
    state["fushion.3.bias"][0] = 4  # some background
    file = tmp_path / "cache" / published_weights.WEIGHTS["schp_lip"].file
    file.parent.mkdir()
    torch.save({"state_dict": {f"module.{name}": value for name, value in state.items()}}, file)
    return file


def test_images_become_parsings_and_broken_ones_failed_rows(root, small):
    (root / "empty.png").touch()
    paths = ["a.png", "broken.png", "b.png", "empty.png", "c.png"]
    header, work = schp.build(images(root, paths), weights="schp_lip", batch=2)
    assert (header["kind"], header["tool"], header["table"]) == ("tool/schp", "schp", "hash")
    assert header["weights"] == sha256(small)
    assert header["parameters"]["weights"] == "schp_lip"
    found = pickle.loads(pickle.dumps(work))(0, 5)
    assert (found["status"] == cache.FAILED).tolist() == [False, True, False, True, False]
    for name in schp.GIVES:
        assert (found[name].dtype, found[name].shape) == (np.uint8, (5, 128, 64))
        assert not found[name][found["status"] != cache.OK].any()
    assert (found["score"][found["status"] == cache.OK] > 0).all()
    assert (found["status"] == cache.OK).any()
    part = work(2, 4)  # another batch: the same images, up to rounding
    assert part["status"].tolist() == found["status"][2:4].tolist()
    np.testing.assert_allclose(part["person"].astype(int), found["person"][2:4], atol=1)


def test_the_result_is_softmax_put_together_and_seen_at_each_pixel(root, small):
    image = schp.read_original(root / "a.png")
    square, box = schp.letterbox(image, 65)
    network = schp._network(small, "schp_lip")
    parsing, person = schp.parse(network, "schp_lip", square[None], [box])
    assert person.std() > 0.05
    assert len(np.unique(parsing)) > 2
    # slowly: the network's pixels lie evenly between the square's corner pixels; look at one output pixel's centre
    blue_first = (square[None, :, :, ::-1] / 255 - (0.406, 0.456, 0.485)) / (0.225, 0.224, 0.229)
    with torch.inference_mode():
        logits = network(torch.from_numpy(blue_first.transpose(0, 3, 1, 2)[:, ::-1].copy()).float()).fused
    p = logits.softmax(1)[0].numpy()  # (20, 17, 17)
    x0, y0, w, h = box
    for row, column in [(0, 0), (127, 63), *np.random.default_rng(2).integers(0, 64, (50, 2))]:
        x = np.clip((x0 + (column + 0.5) * w / 64 - 0.5) * 16 / 64, 0, 16)
        y = np.clip((y0 + (row + 0.5) * h / 128 - 0.5) * 16 / 64, 0, 16)
        value = np.zeros(7)
        for i in range(17):
            for j in range(17):
                share = max(0, 1 - abs(y - i)) * max(0, 1 - abs(x - j))
                for number, part in enumerate(schp.LIP.values()):
                    value[PARSING.index(part)] += share * p[number, i, j]
        assert person[0, row, column] == pytest.approx(1 - value[0], abs=1e-4)
        if np.sort(value)[-1] - np.sort(value)[-2] > 1e-3:
            assert parsing[0, row, column] == value.argmax()


def test_samples_lie_where_the_image_lies():
    # a map whose value is the square's x, and one of its y, in pixels from the top-left corner
    ramp = torch.arange(33.0) * (128 / 32) + 0.5
    maps = torch.stack([ramp.expand(33, 33), ramp[:, None].expand(33, 33)])[None]
    found = schp.sample(maps.repeat(2, 1, 1, 1), [(30, 0, 64, 128), (0, 50, 129, 20)], 129).numpy()
    np.testing.assert_allclose(found[0, 0, 5], 30 + np.arange(64) + 0.5, atol=1e-3)
    np.testing.assert_allclose(found[0, 1, :, 5], np.arange(128) + 0.5, atol=1e-3)
    np.testing.assert_allclose(found[1, 1, :, 0], 50 + (np.arange(128) + 0.5) * 20 / 128, atol=1e-3)
    np.testing.assert_allclose(found[1, 0, 0], (np.arange(64) + 0.5) * 129 / 64, atol=1e-2)


@pytest.mark.parametrize("size", [(128, 64), (300, 500), (1, 1), (1000, 1)])
def test_letterbox_fills_the_longer_side_and_keeps_the_aspect(size):
    square, (x, y, w, h) = schp.letterbox(np.full((*size, 3), 255, np.uint8), 100)
    assert max(h, w) == 100
    assert w / h == pytest.approx(size[1] / size[0], rel=0.5 / min(w, h)) or min(w, h) == 1
    white = square.min(2) == 255
    assert white[y : y + h, x : x + w].all()
    assert white.sum() == h * w
    assert abs(x - (100 - w) / 2) <= 0.5
    assert abs(y - (100 - h) / 2) <= 0.5


def test_every_class_has_a_part():
    assert [len(network.classes) for network in schp.NETWORKS.values()] == [7, 20, 18]
    for name, network in schp.NETWORKS.items():
        assert name in published_weights.WEIGHTS
        table = schp.matrix(network.classes)
        assert (table.sum(1) == 1).all()  # each class is counted once
        assert table[0].argmax() == 0  # background is background
        assert set(network.classes.values()) <= set(PARSING)
    np.testing.assert_array_equal(schp.matrix(schp.PASCAL), np.eye(7))
    assert set(PARSING) - set(schp.LIP.values()) == set(PARSING) - set(schp.ATR.values()) == {"upper_arms"}


@pytest.mark.parametrize("classes", [schp.LIP, schp.ATR], ids=["lip", "atr"])
def test_left_and_right_are_the_same_part(classes):
    for name, part in classes.items():
        if name.startswith("left"):
            assert classes[name.replace("left", "right")] == part


def test_judge_wants_a_hundredth_of_the_image_and_scores_the_persons_pixels():
    parsing, person = np.zeros((3, 128, 64), np.uint8), np.full((3, 128, 64), 0.25, np.float32)
    parsing[0, :2, :41], person[0, :2, :41] = 2, 0.75  # 82 pixels
    parsing[1, :1, :64], person[1, :1, :64] = 2, 0.75  # 64
    status, score = schp.judge(parsing, person)
    assert status.tolist() == [cache.OK, cache.MISSING, cache.MISSING]
    np.testing.assert_allclose(score, [0.75, 0, 0])


def test_bad_options_and_missing_weights_are_user_errors(root, monkeypatch):
    monkeypatch.setenv("PARTREID_CACHE", str(root / "nothing"))
    with pytest.raises(UserError, match="schp_pascal"):
        schp.build(images(root, ["a.png"]), weights="pascal", batch=2)
    with pytest.raises(UserError, match="batch is 0"):
        schp.build(images(root, ["a.png"]), weights="schp_lip", batch=0)
    with pytest.raises(UserError, match=r"Download exp-schp-201908261155-lip\.pth"):
        schp.build(images(root, ["a.png"]), weights="schp_lip", batch=2)
