import pytest
import torch
from torch.nn import functional as F

from backbones.test_caffe import model
from partreid import backbones
from partreid.backbones import googlenet
from partreid.backbones.googlenet import GoogLeNet
from partreid.inputs.images import normalise
from partreid.storage import published_weights

# of bvlc_googlenet's train_val.prototxt, written down from there and not from our module
NAMES = ["conv1/7x7_s2", "conv2/3x3_reduce", "conv2/3x3"] + [
    f"inception_{block}/{part}"
    for block in ("3a", "3b", "4a", "4b", "4c", "4d", "4e")
    for part in ("1x1", "3x3_reduce", "3x3", "5x5_reduce", "5x5", "pool_proj")
]


def test_names_and_size():
    network = GoogLeNet()
    assert list(network.state_dict()) == [f"{name}.{kind}" for name in NAMES for kind in ("weight", "bias")]
    assert network.get_submodule("inception_4e/5x5").weight.shape == (128, 32, 5, 5)
    assert network.get_submodule("inception_4d/pool_proj").weight.shape == (64, 512, 1, 1)
    # with the 1x1 convolution to 512 of Part-Aligned Bilinear: its 3.913 M
    assert sum(p.numel() for p in network.parameters()) + 832 * 512 + 512 == 3_912_512


@pytest.mark.parametrize(("dilation", "cells"), [(1, (10, 5)), (2, (20, 10))])
def test_maps_of_the_paper(dilation, cells):
    assert GoogLeNet(dilation)(torch.zeros(1, 3, 160, 80)).shape == (1, 832, *cells)


def test_caffe_input_is_the_pixels_less_the_mean():
    pixels = torch.tensor([[[[0, 100, 255], [255, 3, 7]]]], dtype=torch.uint8)  # (1, 1, 2, 3), RGB
    found = googlenet.caffe_input(normalise(pixels))
    expected = torch.tensor([[255.0, 100, 0], [7, 3, 255]]) - torch.tensor([104.0, 117, 123])
    torch.testing.assert_close(found[0, :, 0].T, expected, atol=1e-3, rtol=0)


def test_response_normalisation_is_caffes():
    x = torch.rand(1, 9, 1, 1) * 50
    found = googlenet.normalised(x)
    for c in range(9):
        window = x[0, max(0, c - 2) : c + 3].square().sum()
        assert float(found[0, c]) == pytest.approx(float(x[0, c] / (1 + 1e-4 / 5 * window) ** 0.75), rel=1e-5)


def test_an_inception_block_by_hand():
    torch.manual_seed(0)
    network = GoogLeNet(2)
    x = torch.randn(1, 480, 9, 7)
    w = {name: p for name, p in network.named_parameters() if name.startswith("inception_4a/")}

    def layer(part, x, dilation=1):
        weight, bias = w[f"inception_4a/{part}.weight"], w[f"inception_4a/{part}.bias"]
        padding = dilation * (weight.shape[2] // 2)
        return F.relu(F.conv2d(x, weight, bias, padding=padding, dilation=dilation))

    expected = torch.cat(
        [
            layer("1x1", x),
            layer("3x3", layer("3x3_reduce", x), 2),
            layer("5x5", layer("5x5_reduce", x), 2),
            layer("pool_proj", F.max_pool2d(x, 5, 1, 2)),
        ],
        1,
    )
    torch.testing.assert_close(network._inception("4a", x), expected)


def test_the_published_file_loads(tmp_path, monkeypatch):
    torch.manual_seed(1)
    source = GoogLeNet()
    state = {name: value.numpy() for name, value in source.state_dict().items()}
    beyond = {"inception_5a/1x1": torch.zeros(2, 1, 1, 1), "loss3/classifier": torch.zeros(2, 1, 1, 1)}
    for name, value in beyond.items():
        state |= {f"{name}.weight": value.numpy(), f"{name}.bias": torch.zeros(2).numpy()}
    monkeypatch.setenv("PARTREID_CACHE", str(tmp_path))
    (tmp_path / published_weights.WEIGHTS["googlenet"].file).write_bytes(model(state))
    target = backbones.build("googlenet", dilated=True)
    backbones.load_imagenet(target, "googlenet")
    for name, value in source.state_dict().items():
        assert torch.equal(value, target.state_dict()[name])
