import pytest
import torch
import torch.nn.functional as F

from partreid import backbones
from partreid.backbones import BACKBONES
from partreid.backbones.hrnet import Module, bilinear, corners, nearest
from partreid.backbones.mobilenet import MobileNetV2, StridedDepthwise
from partreid.errors import UserError
from partreid.storage import published_weights


@pytest.mark.parametrize("name", sorted(BACKBONES))
def test_shape_and_gradient(name):
    torch.manual_seed(0)
    backbone = backbones.build(name)
    height, width = getattr(backbone, "size", (64, 32))  # some are for images of one size
    features = backbone(torch.randn(2, 3, height, width))
    assert features.shape == (2, backbone.channels, height // backbone.stride, width // backbone.stride)
    features.square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in backbone.parameters())


def test_in_bfloat16_on_a_cpu_strided_depthwise_convolutions_stay_in_float32_and_nothing_else_changes():
    torch.manual_seed(0)
    strided = StridedDepthwise(8, 8, 3, stride=2, padding=1, groups=8, bias=False)
    x = torch.randn(2, 8, 6, 4).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        found = strided(x)
    assert found.dtype == torch.bfloat16
    expected = F.conv2d(x.float(), strided.weight, stride=2, padding=1, groups=8)  # the weights are not rounded
    torch.testing.assert_close(found, expected.bfloat16(), rtol=0, atol=0)
    network = backbones.build("mobilenet_v2")
    assert sum(isinstance(module, StridedDepthwise) for module in network.modules()) == 3  # strides 4, 8 and 16


def test_a_backbone_without_published_weights_starts_at_random():
    backbone = backbones.build("osnet_x1_0")
    backbone.weights = ""
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    backbones.load_imagenet(backbone, "mine")
    assert all(torch.equal(value, before[name]) for name, value in backbone.state_dict().items())
    backbone.weights = None
    with pytest.raises(UserError, match="unknown weights 'mine'"):
        backbones.load_imagenet(backbone, "mine")


# convolution trunks without the ImageNet classifier: torchvision's 25,557,032 - 2,049,000 and 3,504,872 - 1,281,000
@pytest.mark.parametrize(("name", "count"), [("resnet50", 23_508_032), ("mobilenet_v2", 2_223_872)])
def test_parameter_count(name, count):
    assert sum(p.numel() for p in backbones.build(name).parameters()) == count


def million(module):
    return sum(p.numel() for p in module.parameters()) / 1e6


def test_osnets_published_size_whole_and_in_halves():
    network = backbones.build("osnet_x1_0")
    assert million(network) == pytest.approx(1.906, abs=5e-4)
    assert [million(half) for half in network.split()] == pytest.approx([0.510, 1.396], abs=5e-4)


def test_hrnets_published_size_with_and_without_its_classification_modules():
    with torch.device("meta"):
        network = backbones.build("hrnet_w32")
    assert million(network) == pytest.approx(30.882, abs=5e-4)
    assert million(network) - million(network.incre_modules) == pytest.approx(29.306, abs=5e-4)


def test_names_are_those_of_the_published_files():
    with torch.device("meta"):
        osnet, hrnet = (set(backbones.build(name).state_dict()) for name in ("osnet_x1_0", "hrnet_w32"))
    assert {
        "conv1.conv.weight", "conv2.0.conv2d.3.conv2.weight", "conv2.0.gate.fc1.bias", "conv2.0.downsample.conv.weight",
        "conv3.2.0.bn.running_mean", "conv5.bn.weight",
    } <= osnet  # fmt: skip
    assert {
        "conv2.weight", "layer1.0.downsample.1.bias", "transition1.1.0.0.weight", "transition3.3.0.1.running_var",
        "stage3.3.branches.2.3.bn2.weight", "stage4.2.fuse_layers.3.0.1.0.weight", "stage4.0.fuse_layers.0.3.1.bias",
        "incre_modules.3.0.conv3.weight",
    } <= hrnet  # fmt: skip
    assert not any("transition2.0" in name or "fuse_layers.1.1" in name for name in hrnet)  # these branches stay


@pytest.mark.parametrize("name", ["osnet_x1_0", "mobilenet_v2"])
def test_halves_are_the_whole(name):
    backbone = backbones.build(name).eval()
    front, tail = backbone.split()
    images = torch.randn(2, 3, 64, 32)
    with torch.no_grad():
        assert torch.equal(tail(front(images)), backbone(images))
    assert million(front) + million(tail) == pytest.approx(million(backbone))


def test_a_backbone_without_halves_says_which_have_them():
    with pytest.raises(UserError, match="osnet_x1_0"):
        backbones.build("resnet50").split()


def test_hrnet_bears_sizes_that_its_strides_do_not_divide():
    network = backbones.build("hrnet_w32").eval()
    with torch.no_grad():
        assert network(torch.randn(1, 3, 72, 40)).shape == (1, 1920, 18, 10)


@pytest.mark.parametrize(("name", "size"), [("mobilenet_v2_dense", (16, 8)), ("mobilenet_v2_dense8", (8, 4))])
def test_dense_mobilenet_shows_the_blocks_of_mobilenet_side_by_side(name, size):
    dense, plain = backbones.build(name).eval(), MobileNetV2(border="replicate").eval()
    dense.load_state_dict({k: v for k, v in plain.state_dict().items() if not k.startswith(dense.unused)})
    images = torch.randn(1, 3, 64, 32)
    with torch.no_grad():
        blocks = [plain.features[:last](images) for last in (4, 7, 14, 18)]
        expected = [
            F.adaptive_avg_pool2d(block, size)
            if block.shape[2] > size[0]
            else F.interpolate(block, size, mode="bilinear")
            for block in blocks
        ]
        torch.testing.assert_close(dense(images), torch.cat(expected, 1), rtol=0, atol=1e-6)
        assert (
            dense(torch.zeros(1, 3, 70, 38)).shape[2:]
            == plain.features[: 7 if size[0] == 8 else 4](torch.zeros(1, 3, 70, 38)).shape[2:]
        )
        even = dense(torch.full((1, 3, 64, 32), 0.3))
    assert torch.allclose(even, even[:, :, :1, :1].expand_as(even), atol=1e-4)  # a plain image has no border


@pytest.mark.parametrize(
    ("name", "prefix", "more"),
    [
        ("mobilenet_v2", "", ["classifier.1.weight"]),
        ("mobilenet_v2", "module.", ["classifier.1.weight"]),
        ("mobilenet_v2_dense8", "", ["features.18.0.weight", "classifier.1.weight"]),
        ("osnet_x1_0", "", ["fc.0.weight", "classifier.weight"]),
    ],
)
def test_public_file_loads_by_name_and_what_is_not_used_is_ignored(tmp_path, monkeypatch, name, prefix, more):
    source = backbones.build(name)
    file = tmp_path / "weights.pth"
    content = {**source.state_dict(), **dict.fromkeys(more, torch.zeros(3, 3))}
    torch.save({prefix + key: value for key, value in content.items()}, file)
    asked = []
    monkeypatch.setattr(published_weights, "path", lambda name: asked.append(name) or file)
    target = backbones.build(name)
    backbones.load_imagenet(target, name)
    assert asked == [name.removesuffix("_dense8")]
    for key, value in source.state_dict().items():
        assert torch.equal(value, target.state_dict()[key])


def test_hrnets_classifier_is_ignored():
    with torch.device("meta"):  # its weights take a while to draw
        network = backbones.build("hrnet_w32")
        more = ["downsamp_modules.0.0.weight", "final_layer.1.bias", "classifier.weight"]
        state = {**network.state_dict(), **dict.fromkeys(more, torch.zeros(3, 3))}
        backbones.load_named(network, state, ignore=network.unused, source="the file")
        with pytest.raises(UserError, match="downsamp_modules"):
            backbones.load_named(network, state, ignore=(), source="the file")


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
    monkeypatch.setattr(published_weights, "path", lambda _: file)
    with pytest.raises(UserError, match="is damaged or no weights file"):
        backbones.load_imagenet(backbones.build("mobilenet_v2"), "mobilenet_v2")


def test_ibn_a_is_resnet50_with_half_of_some_channels_normalised_by_image():
    ibn, plain = backbones.build("resnet50_ibn_a"), backbones.build("resnet50")
    assert million(ibn) == million(plain)
    names = set(ibn.state_dict()) ^ set(plain.state_dict())
    assert {"layer1.0.bn1.IN.weight", "layer3.5.bn1.BN.running_mean", "layer2.3.bn1.BN.bias"} <= names
    assert not any(name.startswith(("bn1", "layer4")) or ".bn2" in name for name in names)
    norm = ibn.layer1[0].bn1.eval()
    x = torch.randn(2, 64, 4, 3) * torch.tensor([1.0, 9.0])[:, None, None, None] + 5
    y = norm(x)
    assert torch.allclose(y[:, :32].mean((2, 3)), torch.zeros(2, 32), atol=1e-5)  # each image by itself
    assert torch.allclose(y[:, 32:], x[:, 32:], rtol=1e-4)  # fresh running averages: mean 0, variance 1


def test_hrnet_brings_maps_together_as_its_name_says():
    torch.manual_seed(0)
    coarse, fine = torch.randn(1, 2, 2, 2), torch.randn(1, 2, 4, 4)
    assert torch.equal(nearest(coarse, fine), coarse.repeat_interleave(2, 2).repeat_interleave(2, 3))
    ends = corners(coarse, fine)
    assert torch.allclose(ends[..., 0, 0], coarse[..., 0, 0])
    assert torch.allclose(ends[..., 0, 1], coarse[..., 0, 0] * 2 / 3 + coarse[..., 0, 1] / 3)
    assert torch.allclose(bilinear(coarse, fine)[..., 0, 1], coarse[..., 0, 0] * 3 / 4 + coarse[..., 0, 1] / 4)
    published, papers = (backbones.build(name) for name in ("hrnet_w32", "hrnet_w32_bilinear"))
    for network, between, at_end in ((published, nearest, corners), (papers, bilinear, bilinear)):
        assert {each.upsample for each in network.modules() if isinstance(each, Module)} == {between}
        assert network.at_end is at_end


def test_stems_of_published_networks():
    images = torch.randn(2, 3, 64, 32)
    plain, bot, fast = (backbones.build(name).eval() for name in ("resnet50", "resnet50_bot", "resnet50_fastreid"))
    for other in (bot, fast):
        other.load_state_dict(plain.state_dict())
    with torch.no_grad():
        before = plain.bn1(plain.conv1(images))  # (B, 64, 32, 16)
        assert torch.equal(bot.stem(images), F.max_pool2d(before, 3, 2, padding=1))
        assert torch.equal(plain.stem(images), F.max_pool2d(before.relu(), 3, 2, padding=1))
        pooled = torch.stack(
            [torch.stack([before[:, :, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3].amax((2, 3)) for j in range(8)], -1)
             for i in range(16)], -2,
        ).relu()  # fmt: skip
        assert torch.equal(fast.stem(images), pooled)
