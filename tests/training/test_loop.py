"""The loop on a tiny set: deterministic, and resumed to the same result."""

import re

import cv2
import numpy as np
import pytest
import torch

from partreid import methods, params
from partreid.errors import UserError
from partreid.inputs.images import load_images
from partreid.inputs.kinds import Label
from partreid.params import Recipe
from partreid.storage import torchfile
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
