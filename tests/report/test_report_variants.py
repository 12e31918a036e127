"""A method's own pictures are made whatever an option leaves out of its network."""

import numpy as np
import pytest

from methods.test_methods import build
from partreid.labels import LABELS
from partreid.methods.base import Trained
from partreid.report import figures
from partreid.report.context import Context
from partreid.storage import cache, columns, files, image_table, pieces

IMAGES = 36
MEMBERS = {  # of each label
    "schp": {"parsing": np.ones((IMAGES, 128, 64), np.uint8), "person": np.full((IMAGES, 128, 64), 255, np.uint8)},
    "poses": {"cluster": np.zeros(IMAGES, np.int8), "keypoints": np.zeros((IMAGES, 17, 3), np.float32)},
    "pifpaf": {"fields": np.full((IMAGES, 36, 33, 17), 200, np.uint8)},
}
HEADER = {"poses": {"centres": np.zeros((3, 17, 2)).tolist()}}
BOX = {"x0": 8, "y0": 2, "x1": 20, "y1": 20}
VARIANTS = [
    ("bpbreid", {"attention": "fixed"}, {"embeddings": ["global"]}),
    ("fsam", {"streams": "appearance"}, {}),
    ("fsam", {"shape": "colours", "branches": 1}, {}),
    ("mpn", {"tasks": "main"}, {}),
    ("mpn", {"prior": "uniform"}, {}),
    ("pah", {"streams": ["global"]}, {}),
    ("pah", {"head_box": "own"}, {"streams": ["head"]}),
    ("pcb", {"identity_on": ["global"], "triplet_on": ["parts"]}, {}),
]


@pytest.fixture
def index(table, tmp_path, monkeypatch):
    """The image table's file, in a folder where every label is."""
    monkeypatch.chdir(tmp_path)
    index = tmp_path / "data/index/folder.parquet"
    image_table.write(table, index)
    ok = {"status": np.zeros(IMAGES, np.uint8), "score": np.ones(IMAGES, np.float32)}

    def header(kind):
        about = cache.header(f"label/{kind}", "blazepose", "1", None, {"clusters": 3}, files.sha256(index))
        return {**about, **HEADER.get(kind, {})}

    for kind, members in MEMBERS.items():
        every = {**members, **ok}

        def work(start, stop, every=every):
            return {name: values[start:stop] for name, values in every.items()}

        pieces.write(LABELS[kind].file(kind, "folder"), header(kind), work, IMAGES, processes=1)
    boxes = {name: np.full(IMAGES, value, np.float32) for name, value in BOX.items()}
    head = cache.counted(header("heads"), ok["status"])
    columns.write(LABELS["heads"].file("heads", "folder"), head, [{**ok, **boxes}])
    return index


@pytest.mark.parametrize(("name", "changes", "at_test"), VARIANTS)
def test_every_figure_is_made_of_what_there_is(project, table, album, index, name, changes, at_test):
    method = build(name, project, **changes).eval()
    method.use(**at_test)
    trained = Trained(method, 64, 32, {"model": name, "dataset": "another"})
    for figure in figures.of(Context(trained, album, table, index, np.array([0, 6, 7]), "folder", 1)):
        assert figure.picture.dtype == np.uint8
        assert figure.caption
