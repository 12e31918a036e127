"""stages/export.py: on a data set's own images, in float32 and int8."""

import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import coloured_persons
import small_networks
from partreid import methods
from partreid.errors import UserError
from partreid.evaluation import protocols
from partreid.export import checking, graph, quantised
from partreid.storage import image_table

PROJECT = Path(__file__).parents[2]
pytest.importorskip("onnxruntime", reason="the extra `export` is not installed")
pytest.importorskip("onnxscript", reason="the extra `export` is not installed")
onnx = pytest.importorskip("onnx", reason="the extra `export` is not installed")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A project with a network that has learned nothing."""
    coloured_persons.project(tmp_path, 8)
    of = small_networks.trained("bot")
    methods.save(tmp_path / "runs/bot-folder/weights.safetensors", of.method, of.header)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "runs/bot-folder"


def export(monkeypatch, *words):
    monkeypatch.setattr("sys.argv", ["stages/export.py", "bot", "folder", *words])
    runpy.run_path(str(PROJECT / "stages/export.py"))["main"]()


@pytest.fixture
def several(here, monkeypatch):
    """A split and protocols as Market-1501's multi-query and its distractors have them; those that can be measured."""
    index = here.parents[1] / "data/index/folder.parquet"
    table = image_table.read(index)
    split = np.array(table["split"].to_pylist(), object)
    split[np.flatnonzero(split == "query")[-2:]] = "multi_query"
    image_table.write(table.set_column(table.column_names.index("split"), "split", [split.tolist()]), index)
    own = protocols.PROTOCOLS["folder"]
    together = protocols.Protocol("", query=lambda table: np.array(table["split"].to_pylist()) == "multi_query")
    larger = protocols.Protocol("", images=1000)
    monkeypatch.setitem(protocols.PROTOCOLS, "folder", {**own, "together": together, "larger": larger})
    return {"photos", "together", f"gallery-{(split == 'gallery').sum()}"}  # not all of the larger one is there


def test_it_exports_checks_quantises_and_measures(here, several, monkeypatch, capsys):
    export(monkeypatch)
    said = capsys.readouterr().out
    assert "onnxruntime and torch agree on 16 images in batches of 1, 3, 8: least cosine 1.0000000" in said
    assert "all ranks equal" in said
    kept = json.loads((here / "model-float32.json").read_text())
    assert kept["cosine"] > 0.999999
    assert kept["ranks"] == 1
    assert kept["bytes"] == (here / "model-float32.onnx").stat().st_size

    before = (here / "model-float32.onnx").read_bytes()
    export(monkeypatch, "int8")
    said = capsys.readouterr().out
    assert "in float32" in said
    kept = json.loads((here / "model-int8.json").read_text())
    assert set(kept["mAP"]) == {"float32", "int8"}
    assert kept["mAP"]["float32"].keys() == kept["mAP"]["int8"].keys() == several
    assert set(kept["speed"]) == {"float32", "int8"}
    assert min(kept["speed"].values()) > 0
    assert "photos per second, torch 1: " in said
    assert 0.9 < kept["cosine"] < 0.9999999  # near, and not the same
    assert (here / "model-float32.onnx").read_bytes() == before
    about = checking.session(here / "model-int8.onnx").get_modelmeta().custom_metadata_map
    assert about["partreid.quantised"].startswith("int8")
    assert about["partreid.distance"] == "cosine"
    within = onnx.load(here / "model-int8.onnx").graph
    assert not {node.op_type for node in within.node} & {"Relu", "Clip"}  # not float32 between two roundings: in ranges
    made = {node.output[0]: node for node in within.node}
    sizes = {each.name: list(each.dims) for each in within.initializer}
    weights = [made[node.input[1]] for node in within.node if node.op_type == "Conv"]
    assert [sizes[each.input[1]] for each in weights] == [sizes[each.input[0]][:1] for each in weights]  # by channel
    of = small_networks.trained("bot")
    example = graph.pixels_of(small_networks.photos(of, 17))
    one, every = (by_size(here / "model-int8.onnx", example, size) for size in (1, 17))
    np.testing.assert_allclose(one, every, rtol=1e-4, atol=1e-5)  # a photo's answer is its own
    assert {path.name for path in here.iterdir()} == {
        "weights.safetensors", "model-float32.onnx", "model-float32.json", "model-int8.onnx", "model-int8.json"
    }  # fmt: skip


def by_size(file, example, size):
    """Features by a graph, so many photos at a time."""
    session = checking.session(file)
    return torch.cat([graph.embed(session, [part])[0] for part in example[0].split(size)]).numpy()


def test_what_cannot_be_quantised_is_said(tmp_path, monkeypatch):
    (tmp_path / "m.onnx").write_bytes(b"no graph")
    with pytest.raises(UserError, match=r"onnxruntime cannot quantise .*m\.onnx"):
        quantised.quantise(tmp_path / "m.onnx", tmp_path / "q.onnx", [torch.zeros(2, 3, 8, 8)])
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(UserError, match=r"quantising needs onnx: pip install 'partreid\[export\]'"):
        quantised.quantise(tmp_path / "m.onnx", tmp_path / "q.onnx", [torch.zeros(2, 3, 8, 8)])
    assert [path.name for path in tmp_path.iterdir()] == ["m.onnx"]


def test_a_set_without_test_images_is_named(here, monkeypatch):
    index = here.parents[1] / "data/index/folder.parquet"
    table = image_table.read(index)
    rows = [{**row, "split": "train"} for row in table.drop_columns("image_id").to_pylist()]
    image_table.write(image_table.build(rows, {}), index)
    with pytest.raises(UserError, match="has no query and no gallery images to check the export with"):
        export(monkeypatch)
