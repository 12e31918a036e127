import h5py
import numpy as np
import pytest
from scipy.io import savemat

from partreid.datasets import matlab
from partreid.errors import UserError


def test_vectors_lie_flat_and_cells_are_texts(tmp_path):
    cell = np.empty((2, 1), object)
    cell[:, 0] = ["one", "three"]
    file = tmp_path / "a.mat"
    savemat(file, {"row": np.array([[1, 2, 3]], np.uint16), "table": np.zeros((2, 4)), "cell": cell, "one": 7})
    row, table, words, one = matlab.read(file, "row", "table", "cell", "one")
    assert row.tolist() == [1, 2, 3]
    assert table.shape == (2, 4)
    assert words.tolist() == ["one", "three"]
    assert one.tolist() == [7]


def test_a_missing_variable_is_named(tmp_path):
    savemat(tmp_path / "a.mat", {"x": 1})
    with pytest.raises(UserError, match=r"a\.mat holds no y, z: this is another file of that name"):
        matlab.read(tmp_path / "a.mat", "x", "y", "z")


@pytest.mark.parametrize("keep", [0, 100, 128, 140, 400, -20])
@pytest.mark.parametrize("packed", [False, True])
def test_a_file_cut_off_is_an_error_that_names_it(tmp_path, keep, packed):
    file = tmp_path / "a.mat"
    savemat(file, {"x": np.random.default_rng(0).integers(0, 9, (30, 30))}, do_compression=packed)
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(UserError, match=r"a\.mat (cannot be read as a MATLAB file|holds no x)"):
        matlab.read(file, "x")


def test_other_kinds_of_file_are_refused(tmp_path):
    (tmp_path / "page.mat").write_text("<!DOCTYPE html>" + "\n<p>Sign in</p>" * 50)
    with h5py.File(tmp_path / "new.mat", "w", userblock_size=512) as file:
        file["x"] = 1
    with (tmp_path / "new.mat").open("r+b") as raw:
        raw.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")
    for name in ("page.mat", "new.mat"):
        with pytest.raises(UserError, match="cannot be read as a MATLAB file"):
            matlab.read(tmp_path / name, "x")
