"""Two processes train as one does: same batches, same losses, same weights (how exactly, see several.py)."""

import importlib.util
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import yaml
from torch import nn
from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, Std
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

import coloured_persons
from partreid import methods
from partreid.backbones.schp import ActivatedBatchNorm
from partreid.errors import UserError
from partreid.layers import shares
from partreid.methods import METHODS
from partreid.training import parallel

HERE = Path(__file__).parent
SCRIPT = HERE / "several.py"


def _torchrun(python: Path, logs: Path, script: Path, *words: str, processes: int = 2) -> str:
    """Run a script in several processes by torchrun's launcher, as parallel.launched does; what they print."""
    config = LaunchConfig(
        min_nodes=1, max_nodes=1, nproc_per_node=processes, rdzv_backend="c10d", rdzv_endpoint="localhost:0",
        max_restarts=0, run_id="tests", logs_specs=DefaultLogsSpecs(log_dir=str(logs), redirects=Std.ALL),
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(1) as aside:  # there it leaves our signals alone
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
        try:
            aside.submit(elastic_launch(config, str(python)), str(script), *words).result()
        except ChildFailedError:
            pytest.fail("\n".join(file.read_text()[-3000:] for file in logs.rglob("stderr.log")))
    return "".join(file.read_text() for file in sorted(logs.rglob("stdout.log")))


@pytest.fixture(scope="module")
def trained(tmp_path_factory, programs):
    """Weights and means of every method, by one process and by two."""
    root = tmp_path_factory.mktemp("several")
    random = np.random.default_rng(0)
    for number in range(20):
        cv2.imwrite(str(root / f"{number}.png"), random.integers(0, 256, (40, 20, 3), dtype=np.uint8))
    shutil.copy(HERE.parents[1] / "params.yaml", root)
    found = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_ROOT", str(root))
        for name in ("one", "two"):
            (root / name).mkdir()
        words = (str(root / "params.yaml"), str(root / "one"), *METHODS)
        patch.setattr(sys, "argv", ["several.py", *words])
        spec = importlib.util.spec_from_file_location("several", SCRIPT)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        threads = torch.get_num_threads()
        module.main()
        torch.set_num_threads(threads)
        said = _torchrun(programs / "python", root / "logs", SCRIPT, words[0], str(root / "two"), *METHODS)
        assert said.splitlines() == [f"{name} 2" for name in METHODS]  # process 0 alone prints
    for name in ("one", "two"):
        found.append({each: torch.load(root / name / f"{each}.pt", weights_only=True) for each in METHODS})
    return found


@pytest.mark.parametrize("name", METHODS)
def test_weights_after_two_steps_are_those_of_one_process(trained, name):
    one, two = (each[name] for each in trained)
    assert one["weights"].keys() == two["weights"].keys()
    for key, value in one["weights"].items():
        torch.testing.assert_close(
            two["weights"][key], value, atol=1e-6, rtol=1e-6, msg=lambda m, key=key: f"{key}: {m}"
        )
    assert one["logged"][0].keys() == two["logged"][0].keys()
    for key, value in one["logged"][0].items():
        if key != "images_per_second":
            assert two["logged"][0][key] == pytest.approx(value, rel=1e-5, abs=1e-6), key


def test_the_steps_have_moved_the_weights_further_than_they_may_differ(trained):
    for name, result in trained[0].items():
        assert result["logged"][0]["steps"] == 2, name
        moved = max(
            float((result["weights"][key] - value).abs().max())
            for key, value in result["start"].items()
            if value.is_floating_point() and "running" not in key
        )
        assert moved > 1e-3, name  # a thousand times that


# layers, by two processes against one, through a script of its own
LAYERS = """
import sys, torch
from torch import nn
from partreid.backbones.schp import ActivatedBatchNorm
from partreid.layers import shares
from partreid.training import parallel

def network():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 5, 3), ActivatedBatchNorm(5),
                        nn.BatchNorm2d(5, affine=False), nn.BatchNorm2d(5, momentum=None))
    return net.train().double()

def step(net, share):
    torch.manual_seed(1)
    x = torch.randn(7, 3, 9, 8, dtype=torch.double, requires_grad=True)
    front = nn.Conv2d(3, 3, 1).double()
    with shares.sharing():
        run = shares.everywhere if share else (lambda f, y: f(y))
        first = run(front, x)  # chained, and read on the way
        second = run(net, first)
        loss = (second * torch.randn(second.shape, dtype=torch.double)).sum() + first.square().sum()
    loss.backward()
    gradients = [p.grad for module in (front, net) for p in module.parameters()]
    gradients = [shares.averaged(g) for g in gradients] if share else gradients
    return [loss.detach(), x.grad, *gradients, *net.buffers(), second.detach()]

with parallel.joined(torch.device("cpu")):
    alone = step(network(), False)
    together = step(shares.synchronised(network()), True)
    assert len(alone) == len(together)
    for a, b in zip(alone, together, strict=True):
        torch.testing.assert_close(b, a, atol=1e-6, rtol=1e-6)
    if shares.number() == 0:
        print("equal", len(alone))
"""


@pytest.mark.parametrize("processes", [pytest.param(2, marks=pytest.mark.slow), 3])
def test_layers_that_are_shared_out_give_the_same_values_gradients_and_statistics(tmp_path, programs, processes):
    script = tmp_path / "layers.py"
    script.write_text(LAYERS)
    said = _torchrun(programs / "python", tmp_path / "logs", script, processes=processes)
    assert said.startswith("equal")


def test_alone_nothing_changes():
    net = nn.Sequential(nn.Conv2d(3, 4, 1), ActivatedBatchNorm(4))
    x = torch.randn(2, 3, 5, 5)
    before = net(x)
    shares.synchronised(net)
    assert isinstance(net[1], ActivatedBatchNorm)
    assert list(net.state_dict()) == list(nn.Sequential(nn.Conv2d(3, 4, 1), ActivatedBatchNorm(4)).state_dict())
    with shares.sharing():
        assert torch.equal(shares.everywhere(net, x), before)
    assert shares.averaged(x) is not None
    assert torch.equal(shares.averaged(x), x)


@pytest.mark.parametrize(("processes", "count"), [("auto", 1), (1, 1), (3, 3)])
def test_how_many_processes_on_the_cpu(processes, count):
    assert parallel.wanted(processes, torch.device("cpu")) == count


@pytest.mark.parametrize("processes", ["many", 0, -2])
def test_a_number_that_makes_no_sense_is_an_error(processes):
    with pytest.raises(UserError, match=r"train\.processes is auto or a number"):
        parallel.wanted(processes, torch.device("cpu"))


@pytest.mark.slow
def test_the_stage_starts_its_processes_and_one_error_is_one_line(tmp_path):
    values = coloured_persons.project(tmp_path, 8, training=4)
    small = {"height": 32, "width": 16, "epochs": 2, "warmup_epochs": 1, "ids_per_batch": 2, "images_per_id": 2}
    values["recipes"]["laptop"] |= {**small, "batches_per_epoch": 2, "decay_at": []}
    values["train"] |= {"processes": 2, "device": "cpu", "precision": "float32"}
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    environment.pop("DVC_ROOT", None)

    def stage(**recipe):
        values["recipes"]["laptop"] |= recipe
        (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))
        command = [sys.executable, HERE.parents[1] / "stages/train.py", "bot", "folder"]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    done = stage()
    assert done.returncode == 0, done.stderr
    assert "2 epochs on 2 x cpu" in done.stdout
    assert methods.load(tmp_path / "runs/bot-folder/weights.safetensors").header["model"] == "bot"
    assert not list((tmp_path / "tmp/training").iterdir())
    failed = stage(learning_rate=1e30)
    assert failed.returncode == 1
    assert "error: the loss is not a number in epoch" in failed.stderr
    assert "Traceback" not in failed.stderr
