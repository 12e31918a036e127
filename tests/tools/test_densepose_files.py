import pickle
import sys
from types import ModuleType, SimpleNamespace

import cv2
import numpy as np
import pytest

from partreid.body.parsing import PARSING
from partreid.errors import UserError
from partreid.tools import densepose_files
from partreid.tools.densepose_files import read
from tools.importing import made


@pytest.fixture
def labels():
    """Head charts in a square at the top, a smaller speck of them elsewhere, torso below."""
    image = np.zeros((128, 64), np.uint8)
    image[10:30, 20:30] = 23
    image[10:30, 30:40] = 24
    image[100:104, 50:54] = 24
    image[30:80, 16:44] = 2
    return image


def iuv(path, labels):
    rng = np.random.default_rng(0)
    u, v = (rng.integers(0, 256, labels.shape).astype(np.uint8) * (labels > 0) for _ in range(2))
    cv2.imwrite(str(path), np.stack([labels, u, v], -1))  # as DensePose's infer_simple.py: I, U, V


def test_an_iuv_image_gives_head_person_and_parsing(labels, tmp_path):
    iuv(tmp_path / "0_IUV.png", labels)
    cv2.imwrite(str(tmp_path / "0_INDS.png"), labels)
    header, work = densepose_files.build(made(["train/0.jpg"]), folders={"market": str(tmp_path)})
    found = work(0, 1)
    assert header["source"]["files"] == 1
    assert found["status"].tolist() == [0]
    np.testing.assert_array_equal(found["head"], [[20, 10, 40, 30]])
    np.testing.assert_array_equal(found["person"][0], 255 * (labels > 0))
    want = np.zeros_like(labels)
    want[labels >= 23], want[labels == 2] = PARSING.index("head"), PARSING.index("torso")
    np.testing.assert_array_equal(found["parsing"][0], want)


def test_the_head_box_is_in_pixels_of_the_image(labels, tmp_path):
    np.savez(tmp_path / "0.npz", labels=labels)
    found = read(tmp_path / "0.npz", 256, 256)  # twice as high, four times as wide as the labels
    assert found is not None
    np.testing.assert_allclose(found["head"], [80, 20, 160, 60])
    assert found["person"].shape == found["parsing"].shape == (128, 64)


@pytest.mark.parametrize("name", ["0.npz", "0.jpg.densepose.npz", "0.densepose.npz", "0.jpg.npz"])
@pytest.mark.parametrize("score", [np.float32(0.75), np.array([0.75])])
def test_npz_files_may_bring_a_score(name, score, labels, tmp_path):
    np.savez(tmp_path / name, labels=labels.astype(np.int64), score=score)
    _, work = densepose_files.build(made(["0.jpg"]), folders={"market": str(tmp_path)})
    assert work(0, 1)["score"].tolist() == [0.75]


def test_without_head_or_person(labels, tmp_path):
    np.savez(tmp_path / "0.npz", labels=np.where(labels == 2, 2, 0))
    np.savez(tmp_path / "1.npz", labels=np.zeros_like(labels))
    _, work = densepose_files.build(made(["0.jpg", "1.jpg"]), folders={"market": str(tmp_path)})
    found = work(0, 2)
    assert found["status"].tolist() == [0, 1]
    assert np.isnan(found["head"]).all()
    assert found["person"][0].any()


def test_what_holds_no_charts_is_refused_with_the_reason(labels, tmp_path):
    cv2.imwrite(str(tmp_path / "rgb_IUV.png"), np.stack([labels * 0 + 200, labels, labels], -1))
    with pytest.raises(ValueError, match="first channel as OpenCV reads it"):
        read(tmp_path / "rgb_IUV.png", 128, 64)
    cv2.imwrite(str(tmp_path / "grey_IUV.png"), labels)
    with pytest.raises(ValueError, match="three channels"):
        read(tmp_path / "grey_IUV.png", 128, 64)
    for name, text in (("text_IUV.png", "hello"), ("empty_IUV.png", "")):
        (tmp_path / name).write_text(text)
        with pytest.raises(ValueError, match="it is no image, expected a PNG"):
            read(tmp_path / name, 128, 64)
    np.savez(tmp_path / "shape.npz", labels=np.zeros((3, 4, 5), np.uint8))
    with pytest.raises(ValueError, match=r"shape \(3, 4, 5\)"):
        read(tmp_path / "shape.npz", 128, 64)
    np.savez(tmp_path / "score.npz", labels=labels, score=3.0)
    with pytest.raises(ValueError, match="0 to 1"):
        read(tmp_path / "score.npz", 128, 64)
    np.savez(tmp_path / "scores.npz", labels=labels, score=[0.9, 0.8])
    with pytest.raises(ValueError, match="it holds 2 scores, expected that of one person"):
        read(tmp_path / "scores.npz", 128, 64)
    np.savez(tmp_path / "resized.npz", labels=labels / 2)
    with pytest.raises(ValueError, match=r"its labels hold 11\.5, expected whole numbers"):
        read(tmp_path / "resized.npz", 128, 64)


def test_the_pickle_of_apply_net_is_never_opened_and_the_way_around_it_works(labels, tmp_path, monkeypatch):
    cv2.imwrite(str(tmp_path / "0.jpg"), np.zeros((128, 64, 3), np.uint8))
    module = ModuleType("densepose_of_a_test")

    class Tensor:
        def __init__(self, values):
            self.values = np.asarray(values)

        def cpu(self):
            return self

        def numpy(self):
            return self.values

        def __getitem__(self, index):
            return self.values[index]

    module.Tensor = Tensor
    Tensor.__module__, Tensor.__qualname__ = module.__name__, "Tensor"
    monkeypatch.setitem(sys.modules, module.__name__, module)
    small = np.full((10, 10), 5)
    dump = [
        {
            "file_name": str(tmp_path / "0.jpg"),
            "scores": Tensor([0.9, 0.8]),
            "pred_boxes_XYXY": Tensor([[0.0, 0, 10, 10], [16.4, 10.2, 54.4, 80.2]]),
            "pred_densepose": [SimpleNamespace(labels=Tensor(p)) for p in (small, labels[10:80, 16:54])],
        }
    ]
    (tmp_path / "results.pkl").write_bytes(pickle.dumps(dump))
    for folder in (tmp_path, tmp_path / "results.pkl"):
        with pytest.raises(UserError, match=r"opening one can run any code(.|\n)*savez"):
            densepose_files.build(made(["0.jpg"]), folders={"market": str(folder)})
    monkeypatch.chdir(tmp_path)
    exec(densepose_files.CONVERT, {})
    _, work = densepose_files.build(made(["0.jpg"]), folders={"market": str(tmp_path)})
    found = work(0, 1)
    assert found["score"] == pytest.approx(0.8)
    np.testing.assert_array_equal(found["head"], [[20, 10, 40, 30]])
