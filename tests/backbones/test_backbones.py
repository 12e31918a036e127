import pytest
import torch

from partreid import backbones, weights
from partreid.backbones import BACKBONES
from partreid.errors import UserError


@pytest.mark.parametrize("name", sorted(BACKBONES))
def test_shape_and_gradient(name):
    backbone = backbones.build(name)
    height, width = getattr(backbone, "size", (64, 32))  # some are for images of one size
    features = backbone(torch.randn(2, 3, height, width))
    assert features.shape == (2, backbone.channels, height // backbone.stride, width // backbone.stride)
    features.square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in backbone.parameters())


# convolution trunks without the ImageNet classifier: torchvision's 25,557,032 - 2,049,000 and 3,504,872 - 1,281,000
@pytest.mark.parametrize(("name", "count"), [("resnet50", 23_508_032), ("mobilenet_v2", 2_223_872)])
def test_parameter_count(name, count):
    assert sum(p.numel() for p in backbones.build(name).parameters()) == count


def test_public_file_loads_by_name_and_classifier_is_ignored(tmp_path, monkeypatch):
    source = backbones.build("mobilenet_v2")
    file = tmp_path / "weights.pth"
    torch.save({**source.state_dict(), "classifier.1.weight": torch.zeros(3, 3)}, file)
    monkeypatch.setattr(weights, "path", lambda _: file)
    target = backbones.build("mobilenet_v2")
    backbones.load_imagenet(target, "mobilenet_v2")
    for name, value in source.state_dict().items():
        assert torch.equal(value, target.state_dict()[name])


@pytest.mark.parametrize("damage", ["rename", "drop", "shape"])
def test_no_tensor_is_skipped_in_silence(damage):
    state = backbones.build("mobilenet_v2").state_dict()
    first = "features.0.0.weight"
    value = state.pop(first)
    if damage == "rename":
        state["module." + first] = value
    if damage == "shape":
        state[first] = value[:1]
    with pytest.raises(UserError, match=first):
        backbones.load_named(backbones.build("mobilenet_v2"), state, ignore=("classifier.",), source="the file")


def test_unreadable_file_is_a_user_error(tmp_path, monkeypatch):
    file = tmp_path / "weights.pth"
    file.write_bytes(b"not weights")
    monkeypatch.setattr(weights, "path", lambda _: file)
    with pytest.raises(UserError, match="is damaged or no weights file"):
        backbones.load_imagenet(backbones.build("mobilenet_v2"), "mobilenet_v2")
