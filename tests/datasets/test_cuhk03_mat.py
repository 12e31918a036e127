import cv2
import h5py
import numpy as np
import pytest

import trees_clothes_video_cuhk as trees
from partreid.datasets import cuhk03_mat
from partreid.errors import UserError
from partreid.storage.files import alone


@pytest.fixture
def mat(tmp_path):
    return trees.cuhk03(tmp_path) / "cuhk-03.mat"


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("kind", ["detected", "labeled"])
def test_every_image_once_and_nothing_else(mat, kind):
    folder = mat.parent / "out"
    cuhk03_mat.extract(mat, kind, folder)
    expected = trees.cuhk03_images(kind)
    assert sorted(contents(folder)) == sorted(expected)
    for name, pixels in expected.items():
        assert np.array_equal(cv2.imread(str(folder / name)), pixels)
    assert not (mat.parent / ".out.part").exists()


def test_what_was_interrupted_goes_on(mat, monkeypatch):
    whole, broken = mat.parent / "whole", mat.parent / "broken"
    cuhk03_mat.extract(mat, "detected", whole)
    write, written = cuhk03_mat._write, []

    def stops_after_ten(path, pixels):
        if len(written) == 10:
            raise KeyboardInterrupt
        written.append(path.name)
        write(path, pixels)

    monkeypatch.setattr(cuhk03_mat, "_write", stops_after_ten)
    with pytest.raises(KeyboardInterrupt):
        cuhk03_mat.extract(mat, "detected", broken)
    assert not broken.exists()
    done = list(written)
    written.clear()
    monkeypatch.setattr(cuhk03_mat, "_write", lambda path, pixels: (written.append(path.name), write(path, pixels)))
    cuhk03_mat.extract(mat, "detected", broken)
    assert not set(done) & set(written)
    assert contents(broken) == contents(whole)


def test_a_folder_that_is_there_is_left_as_it_is(mat):
    folder = mat.parent / "images_detected"
    folder.mkdir()
    (folder / "1_001_1_01.png").write_bytes(b"mine")
    cuhk03_mat.extract(mat, "detected", folder)
    assert contents(folder) == {"1_001_1_01.png": b"mine"}


def test_two_at_once_do_not_mix(mat):
    folder = mat.parent / "out"
    with alone(mat.parent / ".out.part"), pytest.raises(UserError, match="another run is at work"):
        cuhk03_mat.extract(mat, "detected", folder)
    cuhk03_mat.extract(mat, "detected", folder)
    assert len(contents(folder)) == 26


def test_a_place_that_cannot_be_made_says_what_to_do(mat):
    (mat.parent / "file").write_text("")
    with pytest.raises(UserError, match=r"written once to .*out, which failed: Not a directory; allow writing there"):
        cuhk03_mat.extract(mat, "detected", mat.parent / "file" / "out")


def test_test_sets_are_pairs_of_camera_pair_and_person(mat):
    found = cuhk03_mat.testsets(mat)
    assert found == trees.TESTSETS


@pytest.mark.parametrize("keep", [0, 100, 600, 4000, -100])
def test_a_file_cut_off_is_named(mat, keep):
    mat.write_bytes(mat.read_bytes()[:keep])
    for use in (lambda: cuhk03_mat.testsets(mat), lambda: cuhk03_mat.extract(mat, "labeled", mat.parent / "out")):
        with pytest.raises(UserError, match=r"cuhk-03\.mat is damaged or another file .*728939e58ad9f0ff53e521857dd8f"):
            use()
    assert not (mat.parent / "out").exists()


def test_another_hdf5_file_is_named(mat):
    with h5py.File(mat, "w") as file:
        file["detected"] = np.zeros((1, 5))
    for use in (lambda: cuhk03_mat.testsets(mat), lambda: cuhk03_mat.extract(mat, "detected", mat.parent / "out")):
        with pytest.raises(UserError, match="is damaged or another file"):
            use()
