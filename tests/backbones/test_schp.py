import pytest
import torch

from partreid.backbones import schp
from partreid.backbones.schp import SCHP
from partreid.errors import UserError

SMALL = (1, 1, 1, 1)  # one bottleneck per stage


def bottleneck(inputs: int, width: int, first: bool) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    for i, (a, b, size) in enumerate([(inputs, width, 1), (width, width, 3), (width, 4 * width, 1)], 1):
        shapes[f"conv{i}.weight"] = (b, a, size, size)
        shapes |= norm(f"bn{i}", b)
    if first:
        shapes["downsample.0.weight"] = (4 * width, inputs, 1, 1)
        shapes |= norm("downsample.1", 4 * width)
    return shapes


def norm(name: str, channels: int) -> dict[str, tuple[int, ...]]:
    # in-place batch norm has no num_batches_tracked
    return {f"{name}.{part}": (channels,) for part in ("weight", "bias", "running_mean", "running_var")}


def published(classes: int, layers=SMALL) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a checkpoint, written down from the architecture and not from our module."""
    shapes: dict[str, tuple[int, ...]] = {}
    for i, (a, b) in enumerate([(3, 64), (64, 64), (64, 128)], 1):
        shapes |= {f"conv{i}.weight": (b, a, 3, 3), **norm(f"bn{i}", b)}
    inputs = 128
    for number, (width, blocks) in enumerate(zip((64, 128, 256, 512), layers, strict=True), 1):
        for block in range(blocks):
            for name, shape in bottleneck(inputs, width, block == 0).items():
                shapes[f"layer{number}.{block}.{name}"] = shape
            inputs = 4 * width
    for i in range(4):  # index 0 of each is the pooling
        shapes[f"context_encoding.stages.{i}.1.weight"] = (512, 2048, 1, 1)
        shapes |= norm(f"context_encoding.stages.{i}.2", 512)
    activated = {
        "context_encoding.bottleneck": [(0, 4096, 512, 3)],
        "edge.conv1": [(0, 256, 256, 1)],
        "edge.conv2": [(0, 512, 256, 1)],
        "edge.conv3": [(0, 1024, 256, 1)],
        "decoder.conv1": [(0, 512, 256, 1)],
        "decoder.conv2": [(0, 256, 48, 1)],
        "decoder.conv3": [(0, 304, 256, 1), (2, 256, 256, 1)],
        "fushion": [(0, 1024, 256, 1)],
    }
    for name, convolutions in activated.items():
        for index, a, b, size in convolutions:
            shapes |= {f"{name}.{index}.weight": (b, a, size, size), **norm(f"{name}.{index + 1}", b)}
    plain = {"edge.conv4": (2, 256, 3), "edge.conv5": (2, 6, 1), "decoder.conv4": (classes, 256, 1)}
    for name, (b, a, size) in {**plain, "fushion.3": (classes, 256, 1)}.items():
        shapes |= {f"{name}.weight": (b, a, size, size), f"{name}.bias": (b,)}
    return shapes


def checkpoint(classes: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    shapes = published(classes).items()
    return {f"module.{name}": 0.1 * torch.randn(shape, generator=generator) for name, shape in shapes}


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("schp") / "checkpoint.pth"
    torch.save({"epoch": 149, "state_dict": checkpoint(7)}, path)
    return path


@pytest.mark.parametrize(("classes", "side", "grid"), [(20, 473, 119), (18, 512, 128), (7, 512, 128)])
def test_the_published_networks_have_these_names_shapes_and_maps(classes, side, grid):
    with torch.device("meta"):
        network = SCHP(classes)
        logits = network(torch.zeros(2, 3, side, side))
    ours = {name: tuple(value.shape) for name, value in network.state_dict().items() if "num_batches" not in name}
    assert ours == published(classes, (3, 4, 23, 3))
    assert [tuple(found.shape[1:]) for found in logits] == [
        (classes, grid, grid),
        (2, grid, grid),
        (classes, grid, grid),
    ]


def test_parameter_count():
    # ResNet-101's trunk has 42,500,160; the deep stem and the wider input of layer1 take the place of its 7x7 stem
    trunk = 42_500_160 - (9_408 + 128) + (1_728 + 128) + (36_864 + 128) + (73_728 + 256) + 64 * 64 + 64 * 256
    context = 4 * (2048 * 512 + 2 * 512) + 9 * 4096 * 512 + 2 * 512
    edge = (256 + 512 + 1024) * 256 + 3 * 512 + (9 * 256 * 2 + 2) + (6 * 2 + 2)
    decoder = (512 * 256 + 512) + (256 * 48 + 96) + (304 * 256 + 512) + (256 * 256 + 512) + (256 * 20 + 20)
    fusion = (1024 * 256 + 512) + (256 * 20 + 20)
    with torch.device("meta"):
        count = sum(p.numel() for p in SCHP(20).parameters())
    assert count == trunk + context + edge + decoder + fusion == 66_723_928


def test_every_parameter_learns_from_the_three_outputs():
    torch.manual_seed(0)
    network = SCHP(7, SMALL)
    sum(logits.square().mean() for logits in network(torch.randn(2, 3, 64, 32))).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


def test_the_last_stage_is_dilated_and_keeps_the_resolution():
    network = SCHP(7, (1, 1, 1, 2))
    dilations = [block.conv2.dilation for stage in (network.layer3, network.layer4) for block in stage]
    assert dilations == [(1, 1), (2, 2), (2, 2)]
    assert network.layer4(torch.zeros(1, 1024, 5, 7)).shape == (1, 2048, 5, 7)


def test_the_network_sees_blue_first():
    network = SCHP(7, SMALL).eval()
    seen = []
    network.conv1.register_forward_hook(lambda _module, inputs, _output: seen.append(inputs[0]))
    images = torch.randn(1, 3, 32, 32)
    network(images)
    assert torch.equal(seen[0], images[:, [2, 1, 0]])


def test_context_is_four_pooled_maps_before_the_features():
    context = schp.Context().eval()
    seen = []
    context.bottleneck.register_forward_hook(lambda _module, inputs, _output: seen.append(inputs[0]))
    x = torch.randn(1, 2048, 6, 12)
    context(x)
    assert torch.equal(seen[0][:, 2048:], x)
    whole = context.stages[0][1](x.mean((2, 3), keepdim=True))[0, :, 0, 0]  # the first pools to one value
    whole = torch.nn.functional.leaky_relu(context.stages[0][2].weight * whole / (1 + 1e-5) ** 0.5, 0.01)
    torch.testing.assert_close(seen[0][0, :512, 3, 5], whole, rtol=1e-4, atol=1e-5)
    side6 = x.reshape(1, 2048, 6, 1, 6, 2).mean((3, 5))  # the last to 6 x 6; its corners stay corners
    corner = context.stages[3][2](context.stages[3][1](side6))[0, :, 5, 0]
    torch.testing.assert_close(seen[0][0, 1536:2048, 5, 0], corner, rtol=1e-4, atol=1e-5)


def test_a_checkpoint_loads_and_its_norms_scale_by_the_absolute_weight(file):
    network = SCHP(7, SMALL)
    schp.load(network, file)
    ours = network.state_dict()
    for name, value in checkpoint(7).items():
        name = name.removeprefix("module.")
        is_gamma = name.endswith(".weight") and value.ndim == 1
        assert torch.equal(ours[name], value.abs() + 1e-5 if is_gamma else value), name


def test_activated_batch_norm_is_what_in_place_batch_norm_computes():
    norm = schp.ActivatedBatchNorm(2).eval()
    norm.weight.data = torch.tensor([2.0, 0.5])
    norm.bias.data = torch.tensor([0.0, -1.0])
    norm.running_mean = torch.tensor([1.0, 0.0])
    norm.running_var = torch.tensor([4.0, 1.0])
    x = torch.tensor([3.0, 1.0]).reshape(1, 2, 1, 1)
    # (3 - 1) / 2 * 2 = 2, kept; 1 * 0.5 - 1 = -0.5, times 0.01
    torch.testing.assert_close(norm(x).flatten(), torch.tensor([2.0, -0.005]), rtol=1e-4, atol=0)


def test_a_checkpoint_with_other_classes_is_refused_with_names_and_shapes(file):
    with pytest.raises(UserError, match=r"2 tensors|4 tensors") as caught:
        schp.load(SCHP(20, SMALL), file)
    for part in (str(file), "decoder.conv4.weight (7, 256, 1, 1) for (20, 256, 1, 1)", "fushion.3.bias"):
        assert part in str(caught.value)


def test_missing_and_unknown_names_are_listed(tmp_path):
    state = checkpoint(7)
    state["module.edge.conv6.bias"] = state.pop("module.edge.conv5.bias")
    torch.save({"state_dict": state}, tmp_path / "a.pth")
    with pytest.raises(
        UserError, match=r"1 tensors are missing: edge\.conv5\.bias; 1 tensors are unknown: edge\.conv6"
    ):
        schp.load(SCHP(7, SMALL), tmp_path / "a.pth")
