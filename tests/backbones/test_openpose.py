import pytest
import torch
from torch.nn import functional as F

from partreid import backbones
from partreid.backbones import openpose
from partreid.backbones.openpose import OpenPose, scaled_caffe_input
from partreid.errors import UserError
from partreid.inputs.images import normalise

VGG = {
    "conv1_1": (3, 64), "conv1_2": (64, 64), "conv2_1": (64, 128), "conv2_2": (128, 128), "conv3_1": (128, 256),
    "conv3_2": (256, 256), "conv3_3": (256, 256), "conv3_4": (256, 256), "conv4_1": (256, 512), "conv4_2": (512, 512),
    "conv4_3_CPM": (512, 256), "conv4_4_CPM": (256, 128),
}  # fmt: skip


def published(stages: int = 6) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the published file, written down from the Caffe model and not from our module."""
    weights: dict[str, tuple[int, ...]] = {name: (b, a, 3, 3) for name, (a, b) in VGG.items()}
    for which, outputs in (("L1", 38), ("L2", 19)):
        for i in (1, 2, 3):
            weights[f"conv5_{i}_CPM_{which}"] = (128, 128, 3, 3)
        weights[f"conv5_4_CPM_{which}"] = (512, 128, 1, 1)
        weights[f"conv5_5_CPM_{which}"] = (outputs, 512, 1, 1)
        for stage in range(2, stages + 1):
            for i in range(1, 6):
                weights[f"Mconv{i}_stage{stage}_{which}"] = (128, 185 if i == 1 else 128, 7, 7)
            weights[f"Mconv6_stage{stage}_{which}"] = (128, 128, 1, 1)
            weights[f"Mconv7_stage{stage}_{which}"] = (outputs, 128, 1, 1)
    shapes: dict[str, tuple[int, ...]] = {}
    for name, shape in weights.items():
        shapes |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
    return shapes


def checkpoint(stages: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    state = {}
    for name, shape in published(stages).items():
        fan = shape[1] * shape[2] * shape[3] if len(shape) == 4 else 10
        state[name] = torch.randn(shape, generator=generator) * (2 / fan) ** 0.5
    return state


@pytest.fixture(scope="module")
def state():
    return checkpoint(3)


def reference(state: dict[str, torch.Tensor], x: torch.Tensor, stages: int) -> torch.Tensor:
    def layer(x, name):
        w = state[f"{name}.weight"]
        return F.conv2d(x, w, state[f"{name}.bias"], padding=w.shape[2] // 2)

    for name in VGG:
        x = F.relu(layer(x, name))
        if name in ("conv1_2", "conv2_2", "conv3_4"):
            x = F.max_pool2d(x, 2, 2)
    features = x
    limbs = joints = features
    for i in (1, 2, 3, 4):
        limbs = F.relu(layer(limbs, f"conv5_{i}_CPM_L1"))
        joints = F.relu(layer(joints, f"conv5_{i}_CPM_L2"))
    both = torch.cat([layer(limbs, "conv5_5_CPM_L1"), layer(joints, "conv5_5_CPM_L2"), features], 1)
    for stage in range(2, stages + 1):
        limbs = joints = both
        for i in range(1, 7):
            limbs = F.relu(layer(limbs, f"Mconv{i}_stage{stage}_L1"))
            joints = F.relu(layer(joints, f"Mconv{i}_stage{stage}_L2"))
        limbs, joints = layer(limbs, f"Mconv7_stage{stage}_L1"), layer(joints, f"Mconv7_stage{stage}_L2")
        both = torch.cat([limbs, joints, features], 1)
    return both


def count(stages: int) -> int:
    with torch.device("meta"):
        return sum(p.numel() for p in OpenPose(stages).parameters())


def test_names_shapes_and_parameter_counts_of_the_published_network():
    with torch.device("meta"):
        network = OpenPose()
    assert {name: tuple(value.shape) for name, value in network.state_dict().items()} == published()
    assert count(0) == 7_340_480  # VGG alone
    assert count(1) - count(0) == 1_046_841
    assert count(2) - count(1) == 8_784_825
    assert count(6) == 52_311_446
    # with the 3 x 3 convolution 185 -> 128 that Part-Aligned Bilinear adds: 17.385 M
    assert count(2) + 9 * 185 * 128 + 128 == 17_385_394


@pytest.mark.parametrize("stages", [1, 2, 3])
def test_forward_is_what_the_layers_say(stages, state, tmp_path):
    torch.save(state, tmp_path / "a.pth")
    network = OpenPose(stages)
    openpose.load(network, tmp_path / "a.pth")  # drops the file's later stages
    x = torch.rand(2, 3, 32, 16, generator=torch.Generator().manual_seed(2)) - 0.5
    found = network(x)
    assert found.shape == (2, 185, 4, 2)
    assert found.std() > 0.1
    torch.testing.assert_close(found, reference(state, x, stages), rtol=1e-3, atol=1e-3)


def test_names_of_a_module_are_accepted(tmp_path):
    state = checkpoint(1)
    prefixed = {("model1_1." if "CPM_L1" in name else "model0.") + name: value for name, value in state.items()}
    torch.save(prefixed, tmp_path / "a.pth")
    network = OpenPose(1)
    openpose.load(network, tmp_path / "a.pth")
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())


def test_every_parameter_learns():
    torch.manual_seed(0)
    network = OpenPose(2)
    network(torch.rand(2, 3, 32, 16) - 0.5).square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


def test_a_file_with_fewer_stages_is_refused_by_name(tmp_path):
    torch.save(checkpoint(1), tmp_path / "a.pth")
    with pytest.raises(UserError, match=r"28 tensors are missing: Mconv1_stage2_L1\.bias"):
        openpose.load(OpenPose(2), tmp_path / "a.pth")


def test_an_unknown_tensor_is_refused(tmp_path):
    torch.save({**checkpoint(1), "fc.weight": torch.zeros(1)}, tmp_path / "a.pth")
    with pytest.raises(UserError, match=r"unknown: fc\.weight"):
        openpose.load(OpenPose(1), tmp_path / "a.pth")


def test_prepare_turns_to_blue_first_and_centres():
    images = torch.tensor([[[[0, 128, 255]]]], dtype=torch.uint8)  # one pixel, RGB
    found = openpose.prepare(images)
    assert found.shape == (1, 3, 1, 1)
    assert found.flatten().tolist() == [255 / 256 - 0.5, 0.0, -0.5]


def test_the_input_that_pabrs_authors_give_it():
    pixels = torch.randint(0, 256, (2, 16, 8, 3), dtype=torch.uint8)
    given = scaled_caffe_input(normalise(pixels))
    expected = 0.0039 * (pixels.float().flip(3) - torch.tensor([104.0, 117, 123])).permute(0, 3, 1, 2)
    assert torch.allclose(given, expected, atol=1e-5)
    network = backbones.build("openpose_pabr")
    with torch.no_grad():
        assert torch.equal(network(normalise(pixels)), network.network(given))
