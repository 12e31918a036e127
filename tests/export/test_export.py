"""ONNX: onnxruntime answers as torch does, for any number of photos, or there is no file."""

import json
import runpy
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import nn

import coloured_persons
import partreid
from partreid import methods, params
from partreid.errors import UserError
from partreid.export import checking, graph
from partreid.inputs.batch import Inputs
from partreid.methods import METHODS
from partreid.methods.base import Trained

PROJECT = Path(__file__).parents[2]
pytest.importorskip("onnxruntime", reason="the extra `export` is not installed")
pytest.importorskip("onnxscript", reason="the extra `export` is not installed")


def trained(name: str) -> Trained:
    _, options = params.load(PROJECT / "params.yaml").recipe_of(name)
    torch.manual_seed(1)
    method = methods.build(name, backbone="mobilenet_v2", identities=3, **options)
    header = {"model": name, "backbone": "mobilenet_v2", "identities": 3, "options": options, "dataset": "folder"}
    size = (96, 32) if name in ("mpn", "pcb") else (64, 32)
    return Trained(method.eval(), *size, {**header, "height": size[0], "width": size[1]})


def photos(of: Trained, count: int = 12) -> list[torch.Tensor]:
    random = torch.Generator().manual_seed(0)
    images = torch.randn(count, 3, of.height, of.width, generator=random)
    kinds = of.method.labels_at_test
    labels = {kind: torch.randn(count, 3, of.height, of.width, generator=random) for kind in kinds}
    return graph.pixels_of(Inputs(images, labels, {kind: torch.arange(count) % 3 > 0 for kind in kinds}))


@pytest.mark.slow  # exporting takes half a minute of one core each
@pytest.mark.parametrize("name", METHODS)
def test_every_method_answers_in_batches_of_any_size_as_torch_does(name, tmp_path):
    of = trained(name)
    example = photos(of)
    graph.write(tmp_path / "m.onnx", of, [each[:2] for each in example], "d" * 64)
    session = checking.session(tmp_path / "m.onnx")
    found = checking.agreement(session, of.method, example, (1, 5, 12))
    assert found.good(), found
    said = session.get_modelmeta().custom_metadata_map
    assert json.loads(said["partreid.parts"]) == list(of.method.part_names())
    assert said["partreid.distance"] == of.method.distance
    assert said["partreid.weights"] == "d" * 64
    assert json.loads(said["partreid.header"])["model"] == name
    assert "0..255" in said["partreid.input"]
    labelled = [f"{kind}{end}" for kind in of.method.labels_at_test for end in ("", "_known")]
    assert [each.name for each in session.get_inputs()] == ["images", *labelled]
    assert [each.name for each in session.get_outputs()] == ["features", "visibility"]


def test_pixels_go_in_and_the_normalisation_is_inside():
    of = trained("bot")
    example = photos(of)
    with torch.inference_mode():
        features, _ = graph.Network(of.method)(example[0])
        images = torch.randn(12, 3, 64, 32, generator=torch.Generator().manual_seed(0))
        wanted, _ = of.method.embed(Inputs(images))
    torch.testing.assert_close(features, wanted, rtol=1e-4, atol=1e-4)
    assert example[0].max() > 255  # random normal numbers, as pixels


class Session:
    """Stands for onnxruntime: answers as the network does, but for a change."""

    def __init__(self, of: Trained, change):
        self.network, self.change = graph.Network(of.method), change

    def get_inputs(self):
        return [type("Input", (), {"name": name}) for name in self.network.names()]

    def run(self, _, feed):
        images, *labels = (torch.from_numpy(value) for value in feed.values())
        with torch.inference_mode():
            features, visibility = self.network(images, labels)
        return [each.numpy() for each in self.change(features.clone(), visibility.clone())]


@pytest.mark.parametrize(
    ("change", "good"),
    [
        (lambda f, v: (f, v), True),
        (lambda f, v: (3 * f, v), True),  # the cosine distance does not see it
        (lambda f, v: (f + 0.1 * f.std() * torch.randn(f.shape), v), False),
        (lambda f, v: (f, 1 - v), False),
        (lambda f, v: (f[:1].expand_as(f), v), False),  # a batch that was frozen to its first photo
        (lambda f, v: (f.flip(2), v), False),
    ],
)
def test_the_check_sees_what_differs(change, good):
    of = trained("bot")
    assert checking.agreement(Session(of, change), of.method, photos(of)).good() == good


def test_nothing_is_left_of_a_graph_that_differs(tmp_path, monkeypatch):
    of = trained("bot")
    (tmp_path / "m.onnx").write_bytes(b"x")
    monkeypatch.setattr(checking, "session", lambda _: Session(of, lambda f, v: (f.flip(2), v)))
    with pytest.raises(UserError, match="the exported graph is not the network: least cosine"):
        checking.check(tmp_path / "m.onnx", of.method, photos(of))
    assert not (tmp_path / "m.onnx").exists()


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


@pytest.mark.slow
def test_the_stage_exports_and_quantises_and_measures(tmp_path, monkeypatch, capsys):
    coloured_persons.project(tmp_path, 8)
    of = trained("bot")
    methods.save(tmp_path / "runs/bot-folder/weights.safetensors", of.method, of.header)
    monkeypatch.chdir(tmp_path)
    for precision in ("float32", "int8"):
        monkeypatch.setattr("sys.argv", ["stages/export.py", "bot", "folder", precision])
        runpy.run_path(str(PROJECT / "stages/export.py"))["main"]()
    said = capsys.readouterr().out
    assert "onnxruntime and torch agree on 16 images in batches of 1, 3, 8" in said
    assert "in float32" in said
    kept = json.loads((tmp_path / "runs/bot-folder/model-int8.json").read_text())
    assert set(kept["mAP"]) == {"float32", "int8"}
    assert kept["mAP"]["float32"].keys() == kept["mAP"]["int8"].keys()
    assert kept["cosine"] > 0.9
    sizes = [(tmp_path / f"runs/bot-folder/{name}.onnx").stat().st_size for name in ("model-int8", "model-float32")]
    assert sizes[0] < 0.5 * sizes[1]


@pytest.mark.slow
def test_the_library_exports(tmp_path):
    of = trained("bot")
    methods.save(tmp_path / "weights.safetensors", of.method, of.header)
    model = partreid.load(tmp_path / "weights.safetensors")
    random = np.random.default_rng(0)
    given = [random.integers(0, 256, (90, 40, 3), dtype=np.uint8) for _ in range(8)]
    file = model.export(tmp_path / "m.onnx", given)
    small = np.stack([cv2.resize(each, (32, 64), interpolation=cv2.INTER_AREA) for each in given])
    features, _ = checking.session(file).run(None, {"images": small.transpose(0, 3, 1, 2).astype(np.float32)})
    np.testing.assert_allclose(features, model.embed(given).features, rtol=1e-3, atol=1e-3)
    with pytest.raises(UserError, match="give two or more, best eight, found 1"):
        model.export(tmp_path / "n.onnx", given[:1])
