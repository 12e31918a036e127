"""The rule behind `precision: auto`, on devices that are not here."""

import pytest
import torch

from partreid.training import precision
from partreid.training.precision import device_of, precision_of

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.mark.parametrize(
    ("able", "device", "backbone", "expected"),
    [
        (True, CUDA, "mobilenet_v2", "bfloat16"),
        (False, CUDA, "resnet50", "tf32"),
        (True, CPU, "resnet50", "bfloat16"),
        (True, CPU, "mobilenet_v2", "bfloat16"),
        (True, CPU, "osnet_x1_0", "float32"),
        (False, CPU, "resnet50", "float32"),
        (False, CPU, "mobilenet_v2", "float32"),
    ],
)
def test_auto_follows_the_rule_and_says_why(able, device, backbone, expected, monkeypatch):
    monkeypatch.setattr(precision, "cpu_computes_in_bfloat16", lambda: able)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: able)
    found = precision_of("auto", device, backbone)
    assert found.name == expected
    assert found.mixed == (expected == "bfloat16")
    assert len(found.why.split()) > 3
    assert precision_of("float32", device, backbone).name == "float32"


def test_tf32_only_where_it_is_named(monkeypatch):
    backends = torch.backends
    for flags, name in ((backends.cudnn, "allow_tf32"), (backends.cudnn, "benchmark")):
        monkeypatch.setattr(flags, name, getattr(flags, name))
    for name, allowed in (("float32", False), ("tf32", True), ("bfloat16", True)):
        precision.apply(name, CUDA)
        assert backends.cudnn.allow_tf32 == allowed
        assert not backends.cuda.matmul.allow_tf32
        assert not backends.cudnn.benchmark  # trials for every new shape: minutes where a method's shapes vary


def test_auto_is_the_cpu_where_there_is_no_cuda(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device_of("auto") == CPU
