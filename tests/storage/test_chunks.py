"""Chunked arrays in one npz."""

import numpy as np

from partreid.storage import chunks


def written(path, **arrays):
    chunks.write(path, {"kind": "test"}, [arrays])
    return path


def test_what_is_empty_takes_no_place(tmp_path):
    # label maps are mostly zeros: stored as they are they were 16 times larger on disk
    maps = np.zeros((chunks.CHUNK, 36, 33, 17), np.uint8)
    maps[:, :, 10:14, 5:9] = 200
    assert written(tmp_path / "maps.npz", maps=maps).stat().st_size < maps.nbytes / 16
    assert np.array_equal(chunks.Reader(tmp_path / "maps.npz").rows("maps", np.arange(len(maps))), maps)


def test_the_same_content_gives_the_same_bytes(tmp_path):
    values = np.random.default_rng(1).random((5, 3))
    first, second = (written(tmp_path / name, values=values).read_bytes() for name in ("a.npz", "b.npz"))
    assert first == second
