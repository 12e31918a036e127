"""Training of the network of tool `consensus`, on made-up evidence."""

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from partreid.tools import body_parts, body_parts_fit
from partreid.tools.body_parts import CLASSES, FEATURES, IMAGE, INPUTS, JOINTS, PERSON, SAID
from partreid.tools.evidence import GRID
from tools.made_up import said

RNG = np.random.default_rng(0)


def given(images: int) -> dict[str, np.ndarray]:
    each = [body_parts.inputs(said()) for _ in range(images)]
    return {
        name: np.stack(values).astype(np.float16) for name, values in zip(INPUTS, zip(*each, strict=True), strict=True)
    }


def test_what_is_trained_is_what_the_tool_runs(tmp_path, monkeypatch):
    torch.manual_seed(0)
    network = body_parts_fit.Trainable()
    for norm in network.norms.values():  # as after training
        norm.running_mean.normal_(0, 0.1)
        norm.running_var.uniform_(0.5, 2)
        torch.nn.init.uniform_(norm.weight, 0.5, 1.5)
        torch.nn.init.normal_(norm.bias, 0, 0.1)
    save_file(body_parts_fit.folded(network.eval()), tmp_path / "weights.safetensors")
    monkeypatch.setattr(body_parts, "WEIGHTS", tmp_path / "weights.safetensors")
    one = said()
    tensors = {
        name: torch.from_numpy(values[None]).permute(0, 3, 1, 2)
        for name, values in zip(INPUTS, body_parts.inputs(one), strict=True)
    }
    with torch.inference_mode():
        classes, seen = network(tensors)
    found = body_parts.run(one)
    np.testing.assert_allclose(found.classes, classes.softmax(1)[0].permute(1, 2, 0), atol=0.02)  # float16 weights
    np.testing.assert_allclose(found.seen, seen.sigmoid()[0].permute(1, 2, 0), atol=0.02)


def test_targets_stand_where_the_joints_are_seen():
    keypoints = np.zeros((1, 17, 3), np.float32)
    keypoints[0, :, :2] = 42, 84  # centre of cell 10 of 32 in 128, and 10 of 64 in 512
    keypoints[0, 3, 2] = 1
    found = body_parts_fit.targets(keypoints, np.array([[512, 128]]))
    assert found.shape == (1, JOINTS, *GRID)
    assert not found[0, [0, 16]].any()
    np.testing.assert_allclose(found[0, 3, 10, 10:12], [1, np.exp(-0.5)], rtol=1e-2)


def test_the_loss_is_least_for_the_truth_and_counts_a_missed_joint_more_than_a_false_one():
    parsing = torch.randint(0, CLASSES, (2, 128, 64))
    joints = torch.zeros(2, JOINTS, *GRID)
    joints[:, 3, 10, 10] = 1
    right = 20 * torch.nn.functional.one_hot(parsing, CLASSES).permute(0, 3, 1, 2).float() - 10
    sure = 40 * joints - 20
    best = body_parts_fit.loss(right, sure, parsing, joints)
    assert best < 0.01
    assert body_parts_fit.loss(right.roll(1, 1), sure, parsing, joints) > best + 1
    missed, false = sure.clone(), sure.clone()
    missed[:, 3, 10, 10] = -20
    false[:, 4, 10, 10] = 20
    assert (
        body_parts_fit.loss(right, missed, parsing, joints) > body_parts_fit.loss(right, false, parsing, joints) > best
    )


def test_disturbing_keeps_quarters_of_a_colour_and_all_joints_together():
    inputs = {name: torch.ones(400, shape[-1], 2, 2) for name, shape in INPUTS.items()}
    changed = body_parts_fit.disturbed(inputs, torch.Generator().manual_seed(0))
    fine = changed["fine"][:, :, 0, 0]
    colours = fine[:, IMAGE].unflatten(1, (3, 4))
    assert (colours == colours[..., :1]).all()
    assert (colours[:, 0, 0] != colours[:, 1, 0]).any()
    assert (fine[:, SAID] == fine[:, SAID.start, None]).all()
    assert set(fine[:, PERSON].unique().tolist()) == {0.0, 1.0}
    shares = {IMAGE.start: 0.15, SAID.start: 0.08, PERSON.start: 0.12, FEATURES.start: 0.06}
    for channel, share in shares.items():
        assert abs((fine[:, channel] == 0).float().mean() - share) < 0.06


@pytest.fixture
def masked(monkeypatch):
    """Pictures whose mask says it all, and small batches: inputs, parsing, joints."""
    monkeypatch.setattr(body_parts_fit, "BATCH", 2)
    monkeypatch.setattr(body_parts_fit, "WARM", 5)
    inputs, parsing = given(4), np.zeros((4, 128, 64), np.uint8)
    for number in range(4):
        parsing[number, 16 * number :, 10:50] = 2
        inputs["fine"][number, ..., PERSON] = body_parts.quarters(2.0 * (parsing[number, ..., None] > 0) - 1)
    return inputs, parsing, np.zeros((4, JOINTS, *GRID), np.float16)


def test_training_learns_what_one_source_says(masked):
    inputs, parsing, _ = masked
    network = body_parts_fit.train(*masked, 60, seed=0)
    tensors = {name: torch.from_numpy(values.astype(np.float32)).permute(0, 3, 1, 2) for name, values in inputs.items()}
    with torch.inference_mode():
        classes, seen = network(tensors)
    assert (classes.argmax(1).numpy() == parsing).mean() > 0.9
    assert seen.sigmoid().mean() < 0.1  # no joint is seen anywhere


def test_the_seed_decides_all(masked):
    one, same, other = (body_parts_fit.folded(body_parts_fit.train(*masked, 2, seed)) for seed in (0, 0, 1))
    assert all((one[name] == same[name]).all() for name in one)
    assert any((one[name] != other[name]).any() for name in one)
