import os
import subprocess
import sys

import pytest
import torch

from partreid.training import cards, parallel
from partreid.training.precision import device_of

ASKS = """
import sys
from partreid.training import cards
print(cards.own(4), cards.own(4), flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setattr(cards, "_held", [])
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setattr(torch.cuda, "set_device", lambda _: None)


def asks():
    process = subprocess.Popen(
        [sys.executable, "-c", ASKS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )  # fmt: skip
    return process, process.stdout.readline().split()


def test_every_job_has_its_own_gpu_until_it_ends(monkeypatch):
    monkeypatch.setenv(cards.VARIABLE, "3")
    assert device_of("auto") == torch.device("cuda", 0)
    assert parallel.wanted("auto", torch.device("cuda", 0)) == 1
    second, found = asks()
    assert found == ["1", "1"]
    third, found = asks()
    assert found == ["2", "2"]
    second.kill()
    second.wait()
    again, found = asks()
    assert found == ["1", "1"]
    for process in (third, again):
        process.kill()
        process.wait()
    assert device_of("cuda") == torch.device("cuda", 0)
    assert device_of("cpu") == torch.device("cpu")


def test_more_jobs_than_gpus_share_them(monkeypatch):
    monkeypatch.setenv(cards.VARIABLE, "3")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    held = [cards._place() for _ in range(2)]
    assert cards.own(1) == 0
    assert cards._held[0].name.endswith("place-2")
    del held


def test_a_single_job_takes_all(monkeypatch):
    monkeypatch.delenv(cards.VARIABLE, raising=False)
    assert device_of("auto") == torch.device("cuda")
    assert parallel.wanted("auto", torch.device("cuda")) == 4
