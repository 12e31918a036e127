"""ONNX in another runtime than the one that checks the export: OpenVINO answers as torch does, too."""

import importlib
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import small_networks
from partreid.export import checking, graph
from partreid.methods import METHODS

pytest.importorskip("onnxscript", reason="the extra `export` is not installed")
VERSION = "2026.4.1"


@pytest.fixture(scope="module")
def openvino(tmp_path_factory):
    """The package, in a folder of its own: nothing of the project needs it."""
    folder = tmp_path_factory.mktemp("packages")
    package = f"openvino=={VERSION}"
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", folder, package], check=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield importlib.import_module("openvino")


class Session:
    """What onnxruntime's session does, by OpenVINO; left to itself that takes bfloat16 where the CPU has it."""

    def __init__(self, openvino, path):
        self.network = openvino.compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

    def get_inputs(self):
        return [SimpleNamespace(name=each.get_any_name()) for each in self.network.inputs]

    def run(self, _, feed):
        found = self.network(feed)
        return [np.array(found[each]) for each in self.network.outputs]


@pytest.mark.network
@pytest.mark.parametrize("name", METHODS)
def test_every_method_answers_in_batches_of_any_size_as_torch_does(name, openvino, tmp_path):
    of = small_networks.trained(name)
    example = graph.pixels_of(small_networks.photos(of, 17))
    graph.write(tmp_path / "m.onnx", of, [each[:2] for each in example], "d" * 64)
    session = Session(openvino, tmp_path / "m.onnx")
    found = checking.agreement(session, of.method, example, (1, 2, 5, 17))
    assert found.good(), found
    features, visibility = graph.embed(session, [each[:0] for each in example])
    assert (len(features), len(visibility)) == (0, 0)
