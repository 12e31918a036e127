"""What counts as done and what becomes of a dead worker's runs, by the real dvc, in a project of two small stages."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from partreid.errors import UserError
from partreid.experiments import brought, dvc, queue
from partreid.experiments.kept import Line

FILES = {
    "params.yaml": "model: bot\ndataset: d\ntrain:\n  seed: 1\n  start_from: imagenet\n",
    "dvc.yaml": """
stages:
  evaluate:
    cmd: python src/run.py ${train.seed} weights/${train.start_from} results/${dataset}/${model}/metrics.json
    deps:
      - weights/${train.start_from}
      - data/index/d.parquet
      - src/run.py
    params:
      - train.seed
    metrics:
      - results/${dataset}/${model}/metrics.json
""",
    "data/dvc.yaml": """
stages:
  index:
    wdir: ..
    cmd: mkdir -p data/index && cp $DVC_ROOT/tmp/images data/index/d.parquet
    outs:
      - data/index/d.parquet
  other: # which nobody runs
    wdir: ..
    cmd: mkdir -p data/index && touch data/index/other.parquet
    outs:
      - data/index/other.parquet
""",
    # the accuracy of a seed, and of what it starts from; where a file tells it to, it kills its worker first and then
    # does nothing
    "src/run.py": """
import json, os, pathlib, signal, sys, time
seed, start, out = sys.argv[1:]
root = pathlib.Path(os.environ["DVC_ROOT"])
if (root / "tmp/kill").exists():
    (root / "tmp/kill").unlink()
    os.kill(int((root / ".dvc/tmp/exps/celery/dvc-exp-worker-1.pid").read_text()), signal.SIGKILL)
    time.sleep(600)
pathlib.Path(out).parent.mkdir(parents=True, exist_ok=True)
accuracy = int(seed) / 10 + len(pathlib.Path(start).read_text()) / 100
pathlib.Path(out).write_text(json.dumps({"general": {"mAP": accuracy}}))
""",
    "weights/imagenet": "",
    ".gitignore": "/tmp/\n/data/index/\n/results/\n/weights/*.safetensors\n",
    "tmp/images": "first",
}


def run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The project's folder, with one commit."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))  # as in a queued run
    monkeypatch.setattr(dvc, "PAUSE", 1)
    monkeypatch.setattr(dvc, "GONE", 6)
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    run("git", "init", "-q")
    run("git", "config", "user.name", "test")  # DVC commits too, and a fresh machine's git knows nobody
    run("git", "config", "user.email", "test@localhost")
    run("dvc", "init", "-q")
    run("git", "add", "-A")
    run("git", "commit", "-qm", "project")
    return tmp_path


@pytest.mark.slow
def test_a_run_is_brought_back_though_dvc_ends_with_an_error(here):
    run("dvc", "exp", "run", "--name", "two", "-S", "train.seed=2", "data/dvc.yaml:index", "evaluate")
    run("dvc", "exp", "run", "--name", "three", "-S", "train.seed=3", "evaluate")
    file = here / "results/d/bot/metrics.json"
    assert json.loads(file.read_text()) == {"general": {"mAP": 0.3}}
    values = yaml.safe_load(FILES["params.yaml"])
    brought.bring(Line("two", "", values, None))
    assert json.loads(file.read_text()) == {"general": {"mAP": 0.2}}
    assert yaml.safe_load((here / "params.yaml").read_text())["train"]["seed"] == 2
    with pytest.raises(UserError, match="`dvc exp apply four` failed"):
        brought.bring(Line("four", "", values, None))


@pytest.mark.slow
def test_runs_are_known_by_values_code_and_images_and_survive_their_worker(here, capfd):
    values = yaml.safe_load(FILES["params.yaml"])

    def ask(*seeds):
        runs = [queue.experiment(f"s{seed}", values, {"train.seed": seed}) for seed in seeds]
        found = queue.complete(runs, "T", before=lambda: dvc.repro(["data/dvc.yaml:index"]))
        assert found == [{"general": {"mAP": seed / 10}} for seed in seeds]
        return capfd.readouterr().out

    (here / "tmp/kill").touch()
    assert "2 runs, 0 done, 0 queued, 2 new" in ask(2, 3)
    assert not (here / "tmp/kill").exists()
    assert "2 runs, 2 done, 0 queued, 0 new" in ask(2, 3)

    with (here / "src/run.py").open("a") as file:
        file.write("# edited\n")
    run("dvc", "exp", "run", "-S", "train.seed=4", "evaluate")
    run("git", "checkout", "src", "params.yaml")
    assert "1 runs, 0 done, 0 queued, 1 new" in ask(4)

    (here / "tmp/images").write_text("second")
    run("dvc", "repro", "-f", "data/dvc.yaml:index")
    assert "1 runs, 0 done, 0 queued, 1 new" in ask(3)
    assert "1 runs, 1 done, 0 queued, 0 new" in ask(3)

    shutil.rmtree(here / ".dvc/cache")
    shutil.rmtree(here / ".dvc/tmp")
    assert "1 runs, 0 done, 0 queued, 1 new" in ask(2)


@pytest.mark.slow
def test_a_queued_run_starts_from_a_file_that_git_does_not_have_and_again_when_it_changes(here, capfd):
    values = yaml.safe_load(FILES["params.yaml"])
    run("dvc", "repro", "data/dvc.yaml:index")

    def ask(start):
        one = queue.experiment("one", values, {"train.start_from": start})
        (found,) = queue.complete([one], "T", before=lambda: None)
        return found["general"]["mAP"], "1 done" in capfd.readouterr().out

    for name, text in (("a", "four"), ("b", "sevente")):
        (here / f"weights/{name}.safetensors").write_text(text)
    assert ask("a.safetensors") == (0.14, False)
    assert ask("b.safetensors") == (0.17, False)
    assert ask("a.safetensors") == (0.14, True)
    (here / "weights/a.safetensors").write_text("another")
    assert ask("a.safetensors") == (0.17, False)
    assert ask("a.safetensors") == (0.17, True)
    assert ask("imagenet") == (0.1, False)
