"""The reader of rendered sets, on a hand-made set of grey pictures."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from partreid.datasets import synthetic
from partreid.errors import UserError
from partreid.storage import chunks, image_table

VISIBLE = {
    "gallery/0003_c1s2_000004_00.jpg": 0.9,
    "gallery/0003_c2s1_000002_00.jpg": 0.69,
    "query/0003_c6s1_000001_00.jpg": 0.3,
    "train/0001_c1s1_000001_00.jpg": 1.0,
    "train/0001_c3s3_000002_00.jpg": 0.71,
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for path in VISIBLE:
        (tmp_path / path).parent.mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / path), np.full((32, 16, 3), 90, np.uint8))
    arrays = {"path": np.array(list(VISIBLE)), "visible": np.array(list(VISIBLE.values()), np.float32)}
    standing = np.zeros((len(VISIBLE), 17, 3), np.float32)
    standing[:, 0, 1], standing[:, 15:, 1] = 0.1 * 32, [0.8 * 32, 0.9 * 32]  # nose; one foot before the other
    standing[1, 0, 1] = 0.2 * 32  # the box begins too high
    standing[4, 16, 1] = 1.2 * 32  # or ends at the shins
    chunks.write(tmp_path / "truth.npz", {"seed": 5, "height": 32}, [{**arrays, "keypoints": standing}])
    return tmp_path


def test_rows(root: Path) -> None:
    table = synthetic.read(root)
    assert table["path"].to_pylist() == [
        p for split in ("train", "query", "gallery") for p in sorted(VISIBLE) if p.startswith(split)
    ]
    assert table["pid"].to_pylist() == [1, 1, 3, 3, 3]
    assert table["camid"].to_pylist() == [0, 2, 5, 0, 1]
    assert table["clothes_id"].to_pylist() == [10, 12, 30, 31, 30]
    assert table["frame"].to_pylist() == [1, 2, 1, 4, 2]
    assert table["occluded"].to_pylist() == [False, False, True, False, True]
    assert table["misaligned"].to_pylist() == [False, True, False, False, True]
    assert image_table.about(table)["parameters"] == {"seed": 5, "height": 32}
    assert image_table.about(table)["misaligned"] == {"train": 0.5, "query": 0.0, "gallery": 0.5}
    assert image_table.about(table)["counts"]["train images"] == 2


def test_an_unfinished_set_is_refused(root: Path) -> None:
    (root / "truth.npz").unlink()
    with pytest.raises(UserError, match=r"no truth\.npz"):
        synthetic.read(root)


def test_a_missing_picture_is_named(root: Path) -> None:
    (root / "query/0003_c6s1_000001_00.jpg").unlink()
    with pytest.raises(UserError, match=r"1 images .* query/0003_c6s1_000001_00\.jpg"):
        synthetic.read(root)


def test_a_stray_picture_is_named(root: Path) -> None:
    (root / "train/holiday.jpg").write_bytes(b"x")
    with pytest.raises(UserError, match=r"holiday\.jpg"):
        synthetic.read(root)


def test_a_damaged_picture_is_named(root: Path) -> None:
    (root / "train/0001_c1s1_000001_00.jpg").write_bytes(b"x")
    with pytest.raises(UserError, match=r"0001_c1s1_000001_00\.jpg: not an image"):
        synthetic.read(root)
