import numpy as np
import pytest

from partreid.errors import UserError
from partreid.storage import chunks, image_table
from partreid.tools import truth
from partreid.tools.base import Images

PATHS = np.array(["a.jpg", "b.jpg", "c.jpg"])


def images(paths, root):
    row = {"split": "train", "pid": 1, "width": 8, "height": 16, "sha1": "0"}
    table = image_table.build([{**row, "path": path} for path in paths], {})
    return Images("synthetic", table, "hash", root, root / "index.parquet")


@pytest.fixture
def root(tmp_path):
    number = np.arange(3)
    arrays = {
        "path": PATHS,
        "keypoints": np.broadcast_to(number[:, None, None], (3, 17, 3)).astype(np.float32),
        "person": np.broadcast_to(number[:, None, None], (3, 128, 64)).astype(np.uint8),
        "parsing": np.zeros((3, 128, 64), np.uint8),
        "head": np.broadcast_to(number[:, None], (3, 4)).astype(np.float32),
        "visible": np.ones(3, np.float32),
        "view": number.astype(np.float32),
    }
    chunks.write(tmp_path / "truth.npz", {"seed": 1}, [arrays])
    return tmp_path


def test_rows_follow_the_image_table_by_path(root):
    header, work = truth.build(images(["c.jpg", "a.jpg"], root))
    assert (header["kind"], header["tool"], header["table"]) == ("tool/truth", "truth", "hash")
    found = work(0, 2)
    np.testing.assert_array_equal(found["keypoints"][:, 0, 0], [2, 0])
    np.testing.assert_array_equal(found["head"][:, 0], [2, 0])
    np.testing.assert_array_equal(work(1, 2)["person"][:, 0, 0], [0])
    assert found["status"].tolist() == [0, 0]
    assert found["score"].tolist() == [1, 1]


def test_an_image_without_truth_is_named(root):
    with pytest.raises(UserError, match=r"lacks 1 images.*d\.jpg"):
        truth.build(images(["a.jpg", "d.jpg"], root))


def test_other_data_sets_have_no_truth(tmp_path):
    with pytest.raises(UserError, match="only the synthetic data set"):
        truth.build(images(["a.jpg"], tmp_path))
