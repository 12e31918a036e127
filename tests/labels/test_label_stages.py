"""The five label stages from the command line, with params.yaml's own values, from each kind of tool output."""

import shutil

import numpy as np
import pytest

from partreid import params
from partreid.labels import LABELS
from partreid.labels.dropping import dropped
from partreid.storage import cache
from upright import blob, native, people

STATUS = np.array([cache.OK, cache.OK, cache.MISSING, cache.FAILED, cache.OK, cache.OK], np.uint8)
MEMBERS = {
    "heads": {"x0", "y0", "x1", "y1"},
    "pifpaf": {"fields"},
    "schp": {"parsing", "person"},
    "poses": {"keypoints", "cluster"},
    "partmaps": {"maps"},
}


@pytest.fixture
def workplace(tmp_path, monkeypatch, project):
    """A project folder whose data set has six images and the output of tool blazepose."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    shutil.copy(project / "params.yaml", tmp_path)
    native(tmp_path, STATUS, {"keypoints": people(6), "person": blob().repeat(6, 0)}, tool="blazepose")
    (tmp_path / "data/index").mkdir(parents=True)
    (tmp_path / "data/tools/blazepose").mkdir(parents=True)
    (tmp_path / "index.parquet").rename("data/index/synthetic.parquet")
    (tmp_path / "blazepose.npz").rename("data/tools/blazepose/synthetic.npz")
    return tmp_path


@pytest.mark.parametrize("name", sorted(MEMBERS))
def test_a_label_is_made_by_its_stage(workplace, project, program, name):
    made = program(project / "stages/label.py", name, "synthetic", "--processes", "1")
    assert made.returncode == 0, made.stderr
    assert "6 images, 4 ok, 1 missing, 1 failed" in made.stdout
    file = LABELS[name].file(name, "synthetic")
    label = cache.Cache(workplace / file, f"label/{name}", workplace / "data/index/synthetic.parquet")
    np.testing.assert_array_equal(label.status, STATUS)
    assert label.header["version"] == params.load().labels[name].version
    for member in MEMBERS[name]:
        values = label.rows(member, np.arange(6))
        assert len(values) == 6
        if member != "cluster":  # every image has one
            assert not np.nan_to_num(values[[2, 3]].astype(float)).any()
            assert values[[0, 1, 4, 5]].astype(bool).reshape(4, -1).any(1).all()


@pytest.mark.parametrize("name", sorted(MEMBERS))
def test_a_share_of_the_images_loses_its_label(workplace, project, program, name):
    text = (workplace / "params.yaml").read_text()
    block = text.index(f"  {name}:\n", text.index("\nlabels:"))
    start = text.index("    drop: 0.0", block)
    (workplace / "params.yaml").write_text(f"{text[:start]}    drop: 0.6{text[start + len('    drop: 0.0') :]}")
    made = program(project / "stages/label.py", name, "synthetic", "--processes", "1")
    assert made.returncode == 0, made.stderr
    label = cache.Cache(
        LABELS[name].file(name, "synthetic"), f"label/{name}", workplace / "data/index/synthetic.parquet"
    )
    assert label.header["drop"] == 0.6
    gone = dropped(np.arange(6), 0.6) & (STATUS == cache.OK)
    assert gone.any()
    np.testing.assert_array_equal(label.status, np.where(gone, cache.MISSING, STATUS))
    for member in MEMBERS[name]:
        values = label.rows(member, np.arange(6)).astype(float)
        np.testing.assert_array_equal(values[gone], values[[2] * gone.sum()])  # as image 2, without anybody


def test_every_label_has_its_stage_test():
    assert set(MEMBERS) == set(LABELS)
