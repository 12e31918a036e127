"""Training of the network of tool `consensus`, on made-up evidence."""

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from partreid.body.skeleton import KEYPOINT_MIRROR
from partreid.errors import UserError
from partreid.tools import body_parts, body_parts_fit
from partreid.tools.body_parts import BLAZEPOSE, CLASSES, FEATURES, IMAGE, INPUTS, JOINTS, MOVENET, PERSON, SAID
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
        torch.nn.init.uniform_(norm.weight, 0.2, 0.6)
        torch.nn.init.normal_(norm.bias, 0, 0.1)
    save_file(body_parts_fit.folded(network.eval()), tmp_path / "weights.safetensors")
    monkeypatch.setattr(body_parts, "WEIGHTS", tmp_path / "weights.safetensors")
    one = said()
    tensors = {
        name: torch.from_numpy(values[None]).permute(0, 3, 1, 2)
        for name, values in zip(INPUTS, body_parts.inputs(one), strict=True)
    }
    with torch.inference_mode():
        classes, seen, side = network(tensors)
    found = body_parts.run(one)
    assert side.shape == (1, *GRID)
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


def standing(left: float, right: float) -> np.ndarray:
    """Keypoints (1, 17, 3) of somebody whose shoulders are there across, a torso of 100 below them."""
    keypoints = np.zeros((1, 17, 3), np.float32)
    keypoints[0, [5, 11], 0], keypoints[0, [6, 12], 0] = left, right
    keypoints[0, 11:13, 1] = 100
    return keypoints


@pytest.mark.parametrize(("left", "expected"), [(80, 1), (20, 0), (50, 0.5), (60, 0.7), (75, 1)])
def test_from_the_front_the_left_shoulder_is_to_the_right(left, expected):
    assert body_parts_fit.front(standing(left, 50)) == pytest.approx(expected)


@pytest.fixture
def two():
    """What is true of two pictures and what is said by who knows it: somebody in the middle, a left elbow, a front."""
    parsing = torch.zeros(2, 128, 64, dtype=torch.long)
    parsing[:, 20:100, 20:40] = torch.randint(1, CLASSES, (2, 80, 20), generator=torch.Generator().manual_seed(0))
    joints = torch.zeros(2, JOINTS, *GRID)
    joints[:, 7, 10, 10] = 1
    right = 20 * torch.nn.functional.one_hot(parsing, CLASSES).permute(0, 3, 1, 2).float() - 10
    true = {"parsing": parsing, "joints": joints, "front": torch.tensor([1.0, 0.0])}
    return true, (right, 40 * joints - 20, torch.tensor([20.0, -20.0])[:, None, None].expand(2, *GRID))


def test_the_loss_is_least_for_the_truth_and_counts_a_missed_joint_more_than_a_false_one(two):
    true, (right, sure, side) = two
    best = body_parts_fit.loss((right, sure, side), true)
    assert best < 0.01
    assert body_parts_fit.loss((right.roll(1, 1), sure, side), true) > best + 1
    missed, false = sure.clone(), sure.clone()
    missed[:, 7, 10, 10] = -20
    false[:, 3, 10, 10] = 20
    assert body_parts_fit.loss((right, missed, side), true) > body_parts_fit.loss((right, false, side), true) > best


def test_left_for_right_costs_more_than_either_mistake_alone(two):
    true, (_, sure, _) = two
    exchanged = sure[:, KEYPOINT_MIRROR]
    assert body_parts_fit.sides(sure, true["joints"]) < 0.01
    assert body_parts_fit.sides(exchanged, true["joints"]) == pytest.approx(40)
    both = torch.maximum(sure, exchanged)
    assert body_parts_fit.sides(both, true["joints"]) == pytest.approx(np.log(2))
    assert body_parts_fit.sides(sure, 0 * sure) == 0  # nothing is seen


def test_who_is_seen_from_the_front_is_asked_where_the_person_is(two):
    true, (right, sure, side) = two
    wrong, elsewhere = side.clone(), side.clone()
    wrong[:, 10:50, 10:20] *= -1
    elsewhere[:, 55:] *= -1
    assert body_parts_fit.loss((right, sure, wrong), true) == pytest.approx(20 * body_parts_fit.FRONT, rel=0.01)
    assert body_parts_fit.loss((right, sure, elsewhere), true) < 0.01


def test_disturbing_keeps_quarters_of_a_colour_and_all_joints_together():
    inputs = {name: torch.ones(400, shape[-1], 2, 2) for name, shape in INPUTS.items()}
    changed = body_parts_fit.disturbed(inputs, torch.Generator().manual_seed(0))
    fine = changed["fine"][:, :, 0, 0]
    colours = fine[:, IMAGE].unflatten(1, (3, 4))
    assert (colours == colours[..., :1]).all()
    assert (colours[:, 0, 0] != colours[:, 1, 0]).any()
    assert (fine[:, SAID] == fine[:, SAID.start, None]).all()  # also where sides are exchanged: all are one
    assert set(fine[:, PERSON].unique().tolist()) == {0.0, 1.0}
    shares = {IMAGE.start: 0.15, SAID.start: 0.08, PERSON.start: 0.12, FEATURES.start: 0.06 + 0.94 * 0.12}
    for channel, share in shares.items():
        assert abs((fine[:, channel] == 0).float().mean() - share) < 0.06


def test_without_features_the_sides_that_movenet_and_blazepose_say_are_left_to_chance(monkeypatch):
    monkeypatch.setattr(body_parts_fit, "AWAY", ((SAID, 0.0), (FEATURES, 0.0)))
    inputs = {name: torch.ones(400, shape[-1], 2, 2) for name, shape in INPUTS.items()}
    inputs["fine"][:] = 1 + torch.arange(inputs["fine"].shape[1])[:, None, None]
    fine = body_parts_fit.disturbed(inputs, torch.Generator().manual_seed(0))["fine"][:, :, 0, 0]
    blind = fine[:, FEATURES.start] == 0
    assert 0.07 < blind.float().mean() < 0.17
    turned = {}
    for channels in (MOVENET, BLAZEPOSE):
        order = (fine[:, channels] / fine[:, channels.start, None] * (1 + channels.start)).round().int() - 1
        straight = torch.arange(channels.start, channels.stop)
        mirror = torch.tensor(
            [channels.start + JOINTS * (k // JOINTS) + KEYPOINT_MIRROR[k % JOINTS] for k in range(len(straight))]
        )
        turned[channels.start] = (order == mirror).all(1)
        assert ((order == straight).all(1) | turned[channels.start]).all()
        assert not turned[channels.start][~blind].any()
        assert 0.25 < turned[channels.start][blind].float().mean() < 0.75
    assert (turned[MOVENET.start] != turned[BLAZEPOSE.start]).any()


@pytest.fixture
def masked(monkeypatch):
    """Pictures whose mask says it all, and small batches: inputs, truth."""
    monkeypatch.setattr(body_parts_fit, "BATCH", 2)
    monkeypatch.setattr(body_parts_fit, "WARM", 5)
    monkeypatch.setattr(body_parts, "WIDTHS", (32, 48, 64))
    monkeypatch.setattr(body_parts, "DEPTHS", (1, 1, 1))
    inputs, parsing = given(4), np.zeros((4, 128, 64), np.uint8)
    for number in range(4):
        parsing[number, 16 * number :, 10:50] = 2
        inputs["fine"][number, ..., PERSON] = body_parts.quarters(2.0 * (parsing[number, ..., None] > 0) - 1)
    joints = np.zeros((4, JOINTS, *GRID), np.float16)
    return inputs, {"parsing": parsing, "joints": joints, "front": np.ones(4, np.float32)}


def test_training_learns_what_one_source_says(masked):
    inputs, true = masked
    network = body_parts_fit.train(*masked, [80], seed=0)
    tensors = {name: torch.from_numpy(values.astype(np.float32)).permute(0, 3, 1, 2) for name, values in inputs.items()}
    with torch.inference_mode():
        classes, seen, _ = network(tensors)
    assert (classes.argmax(1).numpy() == true["parsing"]).mean() > 0.9
    assert seen.sigmoid().mean() < 0.1  # no joint is seen anywhere


def test_the_seed_decides_all(masked):
    one, same, other = (body_parts_fit.folded(body_parts_fit.train(*masked, [2], seed)) for seed in (0, 0, 1))
    assert all((one[name] == same[name]).all() for name in one)
    assert any((one[name] != other[name]).any() for name in one)


def test_the_rate_falls_as_a_cosine_and_again_from_half(monkeypatch):
    monkeypatch.setattr(body_parts_fit, "WARM", 2)
    found = np.array(body_parts_fit.schedule([4, 2])) / body_parts_fit.RATE
    fall = 0.5 + 0.5 * np.cos(np.pi / 4)
    np.testing.assert_allclose(found, [0.5, fall, 0.5, 1 - fall, 0.5, 0.25])


def test_weights_are_a_mean_of_early_and_late_ones():
    early, late = {"a": np.array([1, 2], np.float16)}, {"a": np.array([3, 2], np.float16)}
    found = body_parts_fit.averaged(early, late)
    assert found["a"].dtype == np.float16
    np.testing.assert_allclose(found["a"], [3 - 2 * body_parts_fit.EARLIER, 2], rtol=1e-3)


def test_the_early_weights_are_those_after_so_many_steps(masked, monkeypatch, tmp_path):
    monkeypatch.setattr(body_parts_fit, "EARLY", 1)
    monkeypatch.setattr(body_parts_fit, "schedule", lambda cycles: [1e-3] * sum(cycles))
    one = body_parts_fit.folded(body_parts_fit.train(*masked, [1], 0))
    body_parts_fit.train(*masked, [3], 0, early=tmp_path / "early.safetensors")
    found = load_file(tmp_path / "early.safetensors")
    assert all((one[name] == found[name]).all() for name in one)


def test_after_the_first_cycle_most_scenes_are_those_in_which_blazepose_is_right(monkeypatch, masked):
    inputs, true = masked
    inputs["fine"][0, ..., PERSON] = -1  # nobody, where there is somebody
    chances = body_parts_fit.likely(inputs["fine"], true["parsing"])
    rest = body_parts_fit.PLAIN / 3
    np.testing.assert_allclose(chances, [1 - body_parts_fit.PLAIN, rest, rest, rest])
    np.testing.assert_allclose(body_parts_fit.likely(inputs["fine"][1:], true["parsing"][1:]), 1 / 3)
    np.testing.assert_allclose(body_parts_fit.likely(inputs["fine"][:1], true["parsing"][:1]), 1)
    asked = []
    monkeypatch.setattr(body_parts_fit, "likely", lambda *_given: asked.append(1) or np.array([0.5, 0.5, 0, 0]))
    body_parts_fit.train(inputs, true, [1], 0)
    assert not asked
    body_parts_fit.train(inputs, true, [1, 1], 0)
    assert asked


class Stopped(Exception):
    pass


def test_a_training_that_was_stopped_ends_as_one_that_was_not(masked, monkeypatch, tmp_path):
    monkeypatch.setattr(body_parts_fit, "KEPT", 2)
    half, loss, cycles = tmp_path / "half.pt", body_parts_fit.loss, [2, 2]
    whole = body_parts_fit.folded(body_parts_fit.train(*masked, cycles, 0))
    calls = []

    def stopped(*given):
        calls.append(given)
        if len(calls) == 4:
            raise Stopped
        return loss(*given)

    monkeypatch.setattr(body_parts_fit, "loss", stopped)
    with pytest.raises(Stopped):
        body_parts_fit.train(*masked, cycles, 0, half)
    again = body_parts_fit.folded(body_parts_fit.train(*masked, cycles, 0, half))
    assert len(calls) == 4 + 2  # not from the start
    assert all((whole[name] == again[name]).all() for name in whole)
    with pytest.raises(UserError, match=r"half\.pt keeps the training of another network or of other steps, \[2, 2\]"):
        body_parts_fit.train(*masked, [5], 0, half)


def test_a_training_that_comes_to_nothing_says_so(masked):
    masked[0]["fine"][:] = np.nan
    with pytest.raises(UserError, match="step 1 of 3"):
        body_parts_fit.train(*masked, [3], 0)
