"""The loop on a tiny set: deterministic, and resumed to the same result."""

import dataclasses
import re

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from partreid import methods, params
from partreid.errors import UserError
from partreid.inputs.images import MEAN, load_images
from partreid.inputs.kinds import Label
from partreid.methods.base import Learner
from partreid.params import Recipe
from partreid.storage import torchfile
from partreid.training import schedule
from partreid.training.data import TrainingSet, opened, persons
from partreid.training.loop import looked_at, train
from partreid.training.precision import device_of

RECIPE = Recipe(
    backbone="mobilenet_v2", height=32, width=16, epochs=3, ids_per_batch=2, images_per_id=2, optimizer="adam",
    learning_rate=1e-3, weight_decay=5e-4, warmup_epochs=1, warmup_start=0.1, decay_at=[2], decay=0.1, flip=0.5, pad=2,
    erase=0.5,
)  # fmt: skip


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    rng = np.random.default_rng(0)
    for number in range(8):
        cv2.imwrite(str(tmp_path / f"{number}.png"), rng.integers(0, 256, (40, 20, 3), dtype=np.uint8))
    fields = Label({"fields": rng.integers(0, 256, (8, 36, 5, 3), dtype=np.uint8)}, np.ones(8, bool))
    paths = [f"{n}.png" for n in range(8)]
    return TrainingSet(tmp_path, paths, np.arange(8) // 4, {"pifpaf": fields}, paths)


class Killed(Exception):
    pass


def run(data, project, scratch, stop_after=None, name="bpbreid", seconds=0, compiling="auto"):
    _, own = params.load(project / "params.yaml").recipe_of(name)
    torch.manual_seed(1)
    method = methods.build(name, backbone="mobilenet_v2", identities=2, **{**own, "embedding": 8})
    logged = []

    def log(epoch, means):
        logged.append((epoch, means))

    def keep(epoch):
        if epoch == stop_after:
            raise Killed

    options = {"seed": 1, "device": torch.device("cpu"), "precision": "float32", "compiling": compiling}
    train(method, data, RECIPE, **options, scratch=scratch, log=log, keep=keep, seconds=seconds)
    return method.state_dict(), logged


def test_interruption_changes_nothing(data, project, tmp_path, capsys):
    whole, logged = run(data, project, tmp_path / "a")
    with pytest.raises(Killed):
        run(data, project, tmp_path / "c", stop_after=1)  # dies after epoch 1's log, before its checkpoint
    assert "goes on" not in capsys.readouterr().out
    resumed, again = run(data, project, tmp_path / "c")
    assert "goes on after epoch 1 of 3: it was stopped there" in capsys.readouterr().out
    assert [(epoch, means["loss"]) for epoch, means in again] == [(epoch, means["loss"]) for epoch, means in logged]
    for name, value in whole.items():
        assert torch.equal(value, resumed[name]), name


class Probe(Learner):
    """Two numbers that every step pulls down, the second with another rate; it keeps what it is given."""

    reads_clean = True

    def __init__(self):
        super().__init__()
        self.slow, self.fast = nn.Parameter(torch.ones(())), nn.Parameter(torch.ones(()))
        self.batches, self.drawn = [], []

    def parameter_groups(self, weight_decay):
        shared = {"weight_decay": weight_decay}
        return [{"params": [self.slow], **shared}, {"params": [self.fast], **shared, "rate": 5.0}]

    def begin_epoch(self, *_):
        assert self.training

    def losses(self, batch):
        assert self.training
        self.batches.append(batch)
        self.drawn.append(float(torch.rand(())))  # as dropout does
        return {"first": 2 * self.slow, "second": self.fast}


def probed(data, scratch, seed=1, **recipe):
    """A probe after the loop, and the means of its epochs."""
    probe, logged = Probe(), []

    def log(_, means):
        logged.append(means)
        probe.eval()  # who looks at a network may leave it so

    train(
        probe, data, dataclasses.replace(RECIPE, **recipe), seed=seed, device=torch.device("cpu"), precision="float32",
        compiling="off", scratch=scratch, log=log, keep=lambda _: None, seconds=3600,
    )  # fmt: skip
    return probe, logged


def test_rates_and_means_are_those_of_a_slow_loop(data, tmp_path):
    plan = {"schedule": "cosine", "epochs": 3, "warmup_epochs": 1, "warmup_start": 0.1, "final_rate": 0.01}
    recipe = {**plan, "optimizer": "sgd", "learning_rate": 0.01, "weight_decay": 0.3, "batches_per_epoch": 4}
    probe, logged = probed(data, tmp_path / "a", **recipe)
    values, speeds, pulls, rates = [1.0, 1.0], [0.0, 0.0], (2, 1), (1, 5)
    for epoch, means in enumerate(logged):
        seen = []
        for number in range(4):
            seen.append([2 * values[0], values[1]])
            rate = 0.01 * schedule.factor(epoch + number / 4, **plan, decay_at=[], decay=1)
            for i in range(2):
                speeds[i] = 0.9 * speeds[i] + pulls[i] + 0.3 * values[i]
                values[i] -= rates[i] * rate * speeds[i]
        first, second = np.mean(seen, 0)
        assert (means["first"], means["second"]) == pytest.approx((first, second), rel=1e-5)
        assert means["loss"] == pytest.approx(first + second, rel=1e-5)
        assert means["learning_rate"] == pytest.approx(rate, rel=1e-9)
        assert (means["steps"], means["images"]) == (4, 16)
    assert (float(probe.slow.detach()), float(probe.fast.detach())) == pytest.approx(tuple(values), rel=1e-5)


def test_what_is_drawn_hangs_on_the_seed_and_the_epoch_alone(data, tmp_path):
    runs = {}
    for number, seed in enumerate((1, 1, 2)):
        torch.manual_seed(number)
        runs[number], _ = probed(data, tmp_path / str(number), seed=seed)
    assert runs[0].drawn == runs[1].drawn
    assert not set(runs[0].drawn) & set(runs[2].drawn)
    assert len(set(runs[0].drawn)) == len(runs[0].drawn)
    for name in ("rows", "changes"):
        first, again, other = (torch.stack([getattr(b, name) for b in runs[n].batches]) for n in range(3))
        assert torch.equal(first, again)
        assert not torch.equal(first, other)


def test_images_are_changed_as_the_recipe_says(data, tmp_path):
    still = {"flip": 0.0, "pad": 0, "erase": 0.0, "epochs": 1, "batches_per_epoch": 3}

    def batches(name, **recipe):
        return probed(data, tmp_path / name, **{**still, **recipe})[0].batches

    def original(batch):
        return load_images(data.root, [data.paths[row] for row in batch.rows], RECIPE.height, RECIPE.width)

    for batch in batches("still"):
        assert torch.equal(batch.images, original(batch))
        assert batch.pid.tolist() == data.pid[batch.rows].tolist()
    for batch in batches("flip", flip=1.0):
        assert torch.equal(batch.images, original(batch).flip(3))
    for batch in batches("jitter", jitter=1.0):
        assert not torch.equal(batch.images, original(batch))
        assert not batch.changes.any()
    moves = torch.cat([batch.changes for batch in batches("pad", pad=3)])
    assert float((moves[:, 1:3] * torch.tensor([RECIPE.height, RECIPE.width])).abs().max()) == pytest.approx(3)
    assert not moves[:, [0, 3, 4, 5, 6]].any()
    for batch in batches("erase", erase=1.0, erase_fill="raw"):
        assert torch.equal(batch.clean, original(batch))
        for image, clean in zip(batch.images, batch.clean, strict=True):
            hole = (image != clean).any(0)
            assert hole.any()
            assert torch.allclose(image[:, hole].T, torch.tensor(MEAN))


def test_a_log_hears_of_steps_within_an_epoch(data, project, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("partreid.progress.SECONDS", 0)
    run(data, project, tmp_path / "l")
    said = capsys.readouterr().err
    assert re.match(r"epoch 1 of 3: 1 of \d+ steps, \S+ a second, 00:\d\d left\n", said), said
    assert re.search(r"^epoch 3 of 3: ", said, re.MULTILINE)
    assert "\r" not in said


def test_the_pull_of_every_term_is_told(data, project, tmp_path):
    _, logged = run(data, project, tmp_path / "e")
    told = [{name.removeprefix("gradient_norm_") for name in means if "gradient" in name} for _, means in logged]
    assert told == [{"identity", "triplet", "attention"}, {"identity", "triplet", "attention"}, set()]
    assert all(value > 0 for name, value in logged[0][1].items() if "gradient" in name)


def test_a_checkpoint_is_written_when_it_is_due(data, project, tmp_path):
    with pytest.raises(Killed):
        run(data, project, tmp_path / "d", stop_after=2, seconds=3600)
    assert not (tmp_path / "d/checkpoint.pt").exists()
    run(data, project, tmp_path / "d", seconds=3600)
    assert len(torchfile.load(tmp_path / "d/checkpoint.pt", "")["history"]) == 3


def test_what_cannot_be_compiled_runs_all_the_same(data, project, tmp_path, monkeypatch, capsys):
    whole, _ = run(data, project, tmp_path / "a")

    def compiled(_):
        raise RuntimeError("no compiler here\nand more")

    monkeypatch.setattr(torch, "compile", lambda *_, **__: compiled)
    other, _ = run(data, project, tmp_path / "b", compiling="on")
    assert all(torch.equal(value, other[name]) for name, value in whole.items())
    assert "op by op: compiling failed (RuntimeError: no compiler here)" in capsys.readouterr().out


def test_no_process_is_started(data, project, tmp_path, monkeypatch):
    """So there is no shared memory to run out of, and nobody whose death could go unnoticed."""

    def refuse(*_, **__):
        raise AssertionError("a process is started")

    monkeypatch.setattr("os.fork", refuse)
    monkeypatch.setattr("multiprocessing.process.BaseProcess.start", refuse)
    monkeypatch.setattr("subprocess.Popen.__init__", refuse)
    run(data, project, tmp_path / "a")


def test_an_image_that_is_gone_is_named(data, project, tmp_path):
    (tmp_path / "3.png").unlink()
    with pytest.raises(UserError, match=r"3\.png"):
        run(data, project, tmp_path / "a")


def test_a_damaged_checkpoint_is_named(data, project, tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "d/checkpoint.pt").write_bytes(b"half a file")
    with pytest.raises(UserError, match="checkpoint"):
        run(data, project, tmp_path / "d")


def test_cuda_without_cuda_is_a_user_error(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match="no CUDA device"):
        device_of("cuda")
    assert device_of("auto").type == "cpu"


def test_a_look_at_all_images_is_told(data, capsys, monkeypatch):
    monkeypatch.setattr("partreid.progress.SECONDS", 0)
    source = opened(data, 32, 16)
    assert len(list(looked_at(source, "before epoch 2"))) == 2
    said = capsys.readouterr().err
    assert re.fullmatch(r"all images, before epoch 2: 4 of 8 images, \S+ a second, 00:00 left\n", said), said


def test_persons_come_whole_and_in_order(data):
    for person, (rows, images) in enumerate(persons(opened(data, 32, 16))):
        assert rows.tolist() == np.flatnonzero(data.pid == person).tolist()
        assert torch.equal(images, load_images(data.root, [data.paths[row] for row in rows], 32, 16))
    assert person == 1
