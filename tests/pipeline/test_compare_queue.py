"""Two methods in one leaderboard through the real queue of DVC, on a tiny rendered data set."""

import csv
import json
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from partreid.storage.files import alone
from pipeline.test_pipeline import TINY, Project


@pytest.mark.slow
def test_two_methods_are_run_once_measured_once_and_stand_in_one_table(tmp_path):
    source = Path(__file__).parents[2]
    project = Project(source, tmp_path / "project")
    shutil.copytree(source / "benchmarks", project.root / "benchmarks", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(source / "published.yaml", project.root)
    project.set(
        **TINY,
        model="bot",
        labels__pifpaf__tool="truth",
        recipes__laptop__warmup_epochs=0,
        methods__bpbreid__embedding=16,
    )
    command = (
        "python",
        "stages/compare.py",
        "--models",
        "bot",
        "bpbreid",
        "--seeds",
        "1",
        "2",
        "--jobs",
        "2",
        "-S",
        "evaluate.ranks=3",
    )
    dry = project.run(*command, "--dry").stdout
    assert dry.count("dvc exp run --queue") == 4
    assert "-S evaluate.ranks=3 -S model=bpbreid -S train.seed=2 evaluate" in dry
    project.commit("values")

    first = project.run(*command).stdout
    assert "4 runs, 0 done, 0 queued, 4 new" in first
    assert (project.root / "data/labels/pifpaf/synthetic.npz").is_file()  # made before, for all runs
    assert "benchmarks/speed.py" in first
    folder = project.root / "results/compare/synthetic"
    board = (folder / "leaderboard.md").read_text()
    assert board.count("±") >= 2 * 3 * 2
    assert "| bpbreid |" in board
    assert "bpbreid" in (folder / "leaderboard.html").read_text()
    lines = list(csv.DictReader((folder / "leaderboard.csv").open()))
    assert {line["method"] for line in lines} == {"bot", "bpbreid"}
    assert all(line["seeds"] == "2" and float(line["test_images_per_second"]) > 0 for line in lines)
    assert [float(line["label_seconds"]) > 0 for line in lines] == [line["method"] == "bpbreid" for line in lines]
    assert {path.name for path in folder.glob("*.png")} == {"accuracy.png", "cost.png"}
    speeds = json.loads((folder / "speed.json").read_text())

    again = project.run(*command).stdout
    assert "4 runs, 4 done, 0 queued, 0 new" in again
    assert "benchmarks/speed.py" not in again
    assert json.loads((folder / "speed.json").read_text()) == speeds
    assert (folder / "leaderboard.md").read_text() == board


@pytest.mark.slow
def test_ctrl_c_leaves_nothing_at_work(tmp_path):
    source = Path(__file__).parents[2]
    project = Project(source, tmp_path / "project")
    project.set(**{**TINY, "recipes__laptop__epochs": 2000}, model="bot", recipes__laptop__warmup_epochs=0)
    project.commit("values")
    command = ("python", "stages/compare.py", "--models", "bot", "--seeds", "1", "2", "--jobs", "2")
    with (tmp_path / "said").open("w") as said:
        asked = subprocess.Popen(command, cwd=project.root, env=project.environment, stdout=said, stderr=said)
    trainings, patience = project.root / "tmp/training", time.monotonic() + 180
    while len(list(trainings.glob("*/lock"))) < 2:
        assert asked.poll() is None, (tmp_path / "said").read_text()
        assert time.monotonic() < patience
        time.sleep(1)
    asked.send_signal(signal.SIGINT)
    assert asked.wait(120) == 130
    assert "run the same command again" in (tmp_path / "said").read_text()
    time.sleep(5)  # as long as a step may take
    for lock in trainings.glob("*/lock"):
        with alone(lock.parent):  # an error, if one still trains
            pass
    assert "Running" not in project.dvc("queue", "status").stdout
