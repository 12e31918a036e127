"""Every backbone that a paper has, at random weights, as the exporter takes it."""

import re

import pytest

import small_networks
from partreid.backbones import BACKBONES, DILATED
from partreid.export import checking, graph

pytest.importorskip("onnxruntime", reason="the extra `export` is not installed")
pytest.importorskip("onnxscript", reason="the extra `export` is not installed")


def exported(of, path):
    example = graph.pixels_of(small_networks.photos(of, 8))
    graph.write(path, of, [each[:2] for each in example], "d" * 64)
    return checking.check(path, of.method, example)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in BACKBONES if name != "tiny"])
def test_every_backbone_answers_as_torch_does(name, tmp_path):
    """In batches of 1, 3 and 8."""
    own = re.search(r"(\d+)x(\d+)", name)  # of relation-aware attention, which knows one size
    size = (int(own[1]), int(own[2])) if own else (128, 64)
    print(name, exported(small_networks.trained("bot", name, size), tmp_path / "m.onnx"))


@pytest.mark.slow
@pytest.mark.parametrize("name", DILATED)
def test_every_dilated_backbone_does(name, tmp_path):
    of = small_networks.trained("pabr", name, part_stream="none", pooling="second_order", dilated=True)
    print(name, exported(of, tmp_path / "m.onnx"))
