"""Every method through the real pipeline, from rendered people to ONNX, with the labels that it needs in a test."""

import json
from pathlib import Path

import numpy as np
import pytest

from partreid import methods, params
from partreid.export import checking, sets
from partreid.inference import Reader
from partreid.inputs.kinds import read
from partreid.labels import LABELS
from partreid.methods import METHODS
from partreid.storage import image_table
from partreid.storage.places import Run
from pipeline.test_pipeline import TINY, Project, executed

pytest.importorskip("onnxruntime", reason="the extra `export` is not installed")
pytest.importorskip("onnxscript", reason="the extra `export` is not installed")

SHORT = {f"recipes__laptop__{name}__epochs": 1 for name in ("ide", "partmaps", "parsing")}
SHORT |= {"recipes__laptop__warmup_epochs": 0, "recipes__laptop__partmaps__batches_per_epoch": 1}
SHORT |= {f"recipes__laptop__{name}__warmup_epochs": 0 for name in ("ide", "partmaps", "parsing")}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    project = Project(Path(__file__).parents[2], tmp_path_factory.mktemp("export"))
    project.set(**TINY, **SHORT, export=["float32"])
    return project


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
def test_a_trained_network_is_exported_by_its_stage(tiny, name, monkeypatch):
    tiny.set(model=name)
    ran = executed(tiny.dvc("repro", "export@float32").stdout)
    assert {f"train@{name}", "export@float32"} <= set(ran)
    monkeypatch.chdir(tiny.root)
    here, p = Run(name, "synthetic", "synthetic"), params.load()
    kept = json.loads((here.folder / "model-float32.json").read_text())
    assert checking.Agreement(**{key: value for key, value in kept.items() if key != "bytes"}).good()
    trained = methods.load(here.weights)
    trained.use(p.at_test[name])
    table = image_table.select(image_table.read(here.index), "query", "gallery")
    ids = image_table.integers(table, "image_id")
    labels = {
        kind: read(kind, LABELS[kind].file(kind, "synthetic"), here.index, ids)
        for kind in trained.method.labels_at_test
    }
    reader = Reader(p.root("synthetic"), table["path"].to_pylist(), labels, trained.height, trained.width)
    example = sets.example(reader, np.arange(17))
    session = checking.session(here.folder / "model-float32.onnx")
    found = checking.agreement(session, trained.method, example, (1, 2, 5, 17))
    assert found.good(), found
    assert sorted(labels) == (["heads"] if name == "pah" else [])
