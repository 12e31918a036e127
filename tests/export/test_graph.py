"""ONNX: onnxruntime answers as torch does, for any number of photos."""

import json
import logging
import sys

import cv2
import numpy as np
import pytest
import torch
from torch import nn

import partreid
import small_networks
from partreid import methods
from partreid.errors import UserError
from partreid.export import checking, graph
from partreid.inputs.batch import Inputs
from partreid.methods import METHODS
from partreid.storage.files import sha256
from small_networks import PROJECT

pytest.importorskip("onnxruntime", reason="the extra `export` is not installed")
pytest.importorskip("onnxscript", reason="the extra `export` is not installed")
onnx = pytest.importorskip("onnx", reason="the extra `export` is not installed")


KINDS = {"tensor(float)": np.float32, "tensor(bool)": bool}
AT_TEST = {"pcb": {"vectors": "averages"}}  # what a test may choose
ABOUT = ("model", "input", "size", "parts", "distance", "labels", "at_test", "weights", "header")


def exported(of, path, at_test=None):
    """Write the graph of a method and check it in batches that the exporter has not seen."""
    of.method.use(**(at_test or {}))
    example = graph.pixels_of(small_networks.photos(of, 17))
    graph.write(path, of, [each[:2] for each in example], "d" * 64, at_test)
    session = checking.session(path)
    found = checking.agreement(session, of.method, example, (1, 2, 5, 17))
    assert found.good(), found
    return session


@pytest.mark.parametrize("name", METHODS)
def test_every_method_answers_in_batches_of_any_size_as_torch_does(name, tmp_path):
    of, at_test = small_networks.trained(name), AT_TEST.get(name, {})
    session = exported(of, tmp_path / "m.onnx", at_test)
    said = session.get_modelmeta().custom_metadata_map
    assert json.loads(said["partreid.parts"]) == list(of.method.part_names())
    assert said["partreid.distance"] == of.method.distance
    assert said["partreid.weights"] == "d" * 64
    assert said["partreid.size"] == f"{of.height}x{of.width}"
    assert json.loads(said["partreid.header"])["model"] == name
    assert json.loads(said["partreid.at_test"]) == at_test
    assert "0..255" in said["partreid.input"]
    labelled = [f"{kind}{end}" for kind in of.method.labels_at_test for end in ("", "_known")]
    assert set(said) == {f"partreid.{each}" for each in ABOUT}
    assert [each.name for each in session.get_inputs()] == ["images", *labelled]
    assert [each.name for each in session.get_outputs()] == ["features", "visibility"]
    assert {each.shape[0] for each in (*session.get_inputs(), *session.get_outputs())} == {"batch"}
    assert str(PROJECT).encode() not in (tmp_path / "m.onnx").read_bytes()
    # a frame without anybody; onnxruntime's Einsum would not raise, but end the process
    assert "Einsum" not in {node.op_type for node in onnx.load(tmp_path / "m.onnx").graph.node}
    nobody = {each.name: np.zeros((0, *each.shape[1:]), KINDS[each.type]) for each in session.get_inputs()}
    assert [len(each) for each in session.run(None, nobody)] == [0, 0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "changes", "at_test"),
    [
        ("pcb", {}, {"vectors": "averages"}),
        ("mpn", {"tasks": "corrected"}, {}),
        ("fsam", {}, {"stream": "both"}),
        ("bpbreid", {"attention": "fixed"}, {}),
        ("bpbreid", {"attention": "sharp"}, {"visibility": "argmax", "neck": "after"}),
        ("bpbreid", {}, {"embeddings": ["global", "concatenated", "head"]}),
        ("pah", {"head_box": "own"}, {}),
        ("pah", {}, {"streams": ["global", "parts"]}),
        ("pabr", {"part_stream": "cached"}, {}),
        ("pabr", {"pooling": "exact"}, {}),
    ],
    ids=lambda value: "-".join(map(str, value.values())) if isinstance(value, dict) else value,
)
def test_what_a_test_may_choose_is_exported_too(name, changes, at_test, tmp_path):
    exported(small_networks.trained(name, **changes), tmp_path / "m.onnx", at_test)


def test_pixels_go_in_and_the_normalisation_is_inside():
    of = small_networks.trained("bot")
    inputs = small_networks.photos(of, 4)
    with torch.inference_mode():
        features, _ = graph.Network(of.method)(graph.pixels_of(inputs)[0])
        wanted, _ = of.method.embed(inputs)
    torch.testing.assert_close(features, wanted, rtol=1e-4, atol=1e-4)
    white = graph.pixels_of(Inputs((torch.ones(1, 3, 1, 1) - torch.tensor([0.485, 0.456, 0.406])[:, None, None]) / 0.2))
    assert white[0].max() > 250


def test_names_that_are_no_python_are_found_all_the_same():
    class Holds(nn.Module):
        def __init__(self):
            super().__init__()
            names = ("global", "head GAP", "fine", "0")
            self.parts = nn.ModuleDict({name: nn.Linear(1, n + 1) for n, name in enumerate(names)})

    copied = graph.speakable(Holds())
    assert [copied.parts[name].out_features for name in ("global", "head GAP", "fine", "0")] == [1, 2, 3, 4]
    assert list(copied.parts) == ["global_", "head_GAP_", "fine", "0"]
    with pytest.raises(KeyError):
        copied.parts["nothing"]


def test_the_library_exports_in_float32_or_int8_and_leaves_the_model_as_it_is(tmp_path, monkeypatch):
    of = small_networks.trained("bot")
    methods.save(tmp_path / "weights.safetensors", of.method, of.header)
    model = partreid.load(tmp_path / "weights.safetensors", precision="bfloat16")
    random = np.random.default_rng(0)
    given = [cv2.resize(random.integers(0, 256, (3, 2, 3), dtype=np.uint8), (40, 90)) for _ in range(8)]
    before = model.embed(given).features
    monkeypatch.setattr(logging.getLogger(), "level", logging.INFO)
    file = model.export(tmp_path / "m.onnx", given)
    np.testing.assert_array_equal(model.embed(given).features, before)
    small = np.stack([cv2.resize(each, (32, 64), interpolation=cv2.INTER_AREA) for each in given])
    features, _ = checking.session(file).run(None, {"images": small.transpose(0, 3, 1, 2).astype(np.float32)})
    wanted = partreid.load(tmp_path / "weights.safetensors", precision="float32").embed(given).features
    np.testing.assert_allclose(features, wanted, rtol=1e-3, atol=1e-3 * np.abs(wanted).max())
    session = checking.session(model.export(tmp_path / "q.onnx", given, precision="int8"))
    assert session.get_modelmeta().custom_metadata_map["partreid.quantised"].startswith("int8")
    found, _ = session.run(None, {"images": small.transpose(0, 3, 1, 2).astype(np.float32)})
    cosine = (found * features).sum(2) / np.linalg.norm(found, axis=2) / np.linalg.norm(features, axis=2)
    assert 0.98 < cosine.min() < 0.999999  # near, and not the same
    assert logging.getLogger().level == logging.INFO  # whatever torch and the quantiser were not to say
    assert {logging.getLogger(name).level for name in graph.NOISY} == {logging.NOTSET}
    said = checking.session(file).get_modelmeta().custom_metadata_map
    assert said["partreid.weights"] == sha256(tmp_path / "weights.safetensors")
    with pytest.raises(UserError, match="unknown precision 'int4'"):
        model.export(tmp_path / "n.onnx", given, precision="int4")
    with pytest.raises(UserError, match="give two or more, best eight, found 1"):
        model.export(tmp_path / "n.onnx", given[:1])
    with pytest.raises(UserError, match="hardly a difference between the 3 photos"):
        model.export(tmp_path / "n.onnx", given[:1] * 3)
    assert not (tmp_path / "n.onnx").exists()


def test_what_cannot_be_exported_is_said_in_one_line(tmp_path, capfd):
    of = small_networks.trained("bot")
    embed = of.method.embed

    def by_content(inputs):
        inputs.images.flatten(1).argmax(1).bincount(minlength=3).tolist()
        return embed(inputs)

    of.method.embed = by_content
    with pytest.raises(UserError) as raised:
        graph.write(tmp_path / "m.onnx", of, graph.pixels_of(small_networks.photos(of, 2)), "d")
    assert "torch cannot export bot: Could not extract specialized integer from data-dependent" in str(raised.value)
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 200
    assert capfd.readouterr() == ("", "")
    assert not list(tmp_path.iterdir())
    with pytest.raises(UserError, match=r"cannot be written \(Is a directory\), so nothing was begun"):  # not exported
        graph.write(tmp_path, of, graph.pixels_of(small_networks.photos(of, 2)), "d")


def test_without_the_extra_it_says_what_to_install(tmp_path, monkeypatch):
    of = small_networks.trained("bot")
    for name in ("onnxscript", "onnxruntime"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UserError, match=r"exporting needs onnxscript: pip install 'partreid\[export\]'"):
        graph.write(tmp_path / "m.onnx", of, graph.pixels_of(small_networks.photos(of, 2)), "d")
    with pytest.raises(UserError, match=r"running ONNX needs onnxruntime: pip install 'partreid\[export\]'"):
        checking.session(tmp_path / "m.onnx")
    (tmp_path / "m.onnx").write_bytes(b"no graph")
    monkeypatch.undo()
    with pytest.raises(UserError, match="onnxruntime cannot run"):
        checking.session(tmp_path / "m.onnx")
