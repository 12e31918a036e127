from pathlib import Path

import numpy as np
import pytest

from partreid.labels import made
from partreid.methods import METHODS
from partreid.storage import image_table
from partreid.storage.cache import MISSING, OK, Cache
from partreid.storage.chunks import CHUNK


@pytest.fixture
def table(tmp_path):
    """More images than one chunk holds, every second one for training."""
    row = {"pid": 1, "width": 64, "height": 128, "sha1": "0"}
    splits = ["train" if n % 2 else "gallery" for n in range(CHUNK + 10)]
    path = tmp_path / "table.parquet"
    image_table.write(
        image_table.build([{**row, "path": f"{n}.png", "split": s} for n, s in enumerate(splits)], {}), path
    )
    return path


def test_maps_come_back_by_image_and_others_are_missing(table, tmp_path):
    order = np.random.default_rng(0).permutation(np.arange(1, CHUNK + 10, 2))
    maps = np.random.default_rng(1).integers(0, 7, (len(order), 6, 3)).astype(np.uint8)
    path = tmp_path / "maps.npz"
    made.write(path, "pseudo_parts", table, [f"{n}.png" for n in order], maps, {"epoch": 3})
    cache = Cache(path, "label/pseudo_parts", table)
    assert np.array_equal(cache.rows("maps", order), maps)
    assert np.allclose(cache.rows("score", order), (maps > 0).mean((1, 2)))
    assert cache.status.tolist() == [OK if n % 2 else MISSING for n in range(CHUNK + 10)]
    assert cache.header["ok"] == len(order)
    assert cache.header["parameters"] == {"epoch": 3}
    assert not cache.rows("maps", np.array([0, CHUNK])).any()


def test_without_maps_every_image_is_missing(table, tmp_path):
    made.write(tmp_path / "m.npz", "pseudo_parts", table, ["1.png"], np.zeros((0, 1, 1), np.uint8), {})
    cache = Cache(tmp_path / "m.npz", "label/pseudo_parts", table)
    assert (cache.status == MISSING).all()


def test_the_same_maps_give_the_same_bytes(table, tmp_path):
    for name in "ab":
        made.write(tmp_path / name, "pseudo_parts", table, ["1.png"], np.ones((1, 4, 2), np.uint8), {"epoch": 1})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_every_such_label_belongs_to_a_method():
    assert set(made.MADE.values()) <= set(METHODS)
    assert made.file("pseudo_parts", "x") == Path("runs/pah-x/labels/pseudo_parts.npz")
