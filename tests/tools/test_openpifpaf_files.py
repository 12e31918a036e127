import numpy as np
import pytest

from partreid.body.skeleton import FIELDS
from partreid.errors import UserError
from partreid.tools import openpifpaf_files
from partreid.tools.openpifpaf_files import on_grid, read
from tools.importing import made


@pytest.mark.parametrize("name", ["a/0.jpg.confidence_fields.npy", "a/0.jpg.npy", "a/0.npy", "0.jpg.npy"])
def test_both_namings_are_found(name, tmp_path):
    (tmp_path / "a").mkdir()
    np.save(tmp_path / name, np.full((36, 17, 9), 0.8, np.float32))
    header, work = openpifpaf_files.build(made(["a/0.jpg"]), folders={"market": str(tmp_path)})
    found = work(0, 1)
    assert (header["kind"], header["tool"], header["table"]) == ("tool/openpifpaf_files", "openpifpaf_files", "hash")
    assert found["status"].tolist() == [0]
    assert found["score"] == pytest.approx(0.8)
    assert found["fields"].shape == (1, 36, 33, 17)
    assert found["fields"].dtype == np.uint8
    assert (found["fields"] == 204).all()


def cell_centres(pixels):
    """Where the next larger 16 n + 1 has its every 8th pixel, in coordinates with pixel centres at 0.5."""
    padded = pixels
    while padded % 16 != 1:
        padded += 1
    return np.array([i - (padded - pixels) // 2 + 0.5 for i in range(0, padded, 8)])


@pytest.mark.parametrize(("height", "width"), [(128, 64), (256, 128), (129, 65), (250, 101), (384, 128), (40, 30)])
def test_cells_lie_where_openpifpaf_has_them(height, width):
    y, x = cell_centres(height), cell_centres(width)
    ramp = np.stack([np.broadcast_to(y[:, None], (len(y), len(x))), np.broadcast_to(x, (len(y), len(x)))])
    got = on_grid(ramp.astype(np.float32), height, width)
    assert got.shape == (2, 33, 17)
    want_y, want_x = (np.arange(33) + 0.5) / 33 * height, (np.arange(17) + 0.5) / 17 * width
    # the outermost cells of the grid may lie outside the outermost centres, where the fields are constant
    inside_y, inside_x = (want_y > y[0] + 8) & (want_y < y[-1] - 8), (want_x > x[0] + 8) & (want_x < x[-1] - 8)
    np.testing.assert_allclose(got[0][inside_y, 0], want_y[inside_y], rtol=1e-5)
    np.testing.assert_allclose(got[1][0, inside_x], want_x[inside_x], rtol=1e-5)


@pytest.mark.parametrize("shape", [(40, 40), (33, 17), (5, 3), (1, 1)])
def test_fields_of_another_size_divide_the_image_evenly(shape):
    h, w = shape
    mirrored = np.random.default_rng(0).random((2, h, w)).astype(np.float32)
    got = on_grid(mirrored, 200, 100)
    np.testing.assert_allclose(on_grid(mirrored[..., ::-1], 200, 100), got[..., ::-1], atol=1e-6)
    np.testing.assert_allclose(on_grid(mirrored[:, ::-1], 200, 100), got[:, ::-1], atol=1e-6)
    left = np.zeros((1, 40, 40), np.float32)
    left[..., :20] = 1
    assert on_grid(left, 200, 100)[0, 0, :8].min() > 0.99
    assert on_grid(left, 200, 100)[0, 0, 9:].max() < 0.01


def test_who_is_missing_and_what_is_damaged(tmp_path):
    file = tmp_path / "0.npy"

    def kept(array):
        np.save(file, array)
        return read(file, 128, 64)

    limbs_only = np.zeros((len(FIELDS), 17, 9), np.float32)
    limbs_only[17:] = 0.9
    assert kept(limbs_only) is None  # no keypoint above OpenPifPaf's threshold
    found = kept(np.full((36, 17, 9), 1.002, np.float64))
    assert found is not None
    assert found["score"] == 1
    assert found["fields"].max() == 255
    for wrong in ((17, 5, 17, 9), (35, 17, 9), (36, 17), (36, 0, 9)):
        with pytest.raises(ValueError, match=r"expected \(36, h, w\)"):
            kept(np.full(wrong, 0.5, np.float32))
    with pytest.raises(ValueError, match="0 to 1"):
        kept(np.full((36, 17, 9), 200, np.uint8))


def test_raw_fields_are_refused_before_the_work(tmp_path):
    np.save(tmp_path / "0.npy", np.zeros((17, 5, 17, 9), np.float32))
    with pytest.raises(UserError, match=r"0\.npy.*the confidences alone"):
        openpifpaf_files.build(made(["0.jpg"]), folders={"market": str(tmp_path)})
