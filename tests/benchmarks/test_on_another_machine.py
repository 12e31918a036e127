"""The benchmarks that are taken to a machine with a GPU run where DVC and all that only labels need are not."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from contextlib import chdir
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from partreid import params
from partreid.errors import UserError
from partreid.experiments import ablation
from partreid.experiments.ablation import Row, Table
from partreid.storage import embeddings, image_table, places

ABSENT = ("dvc", "anny", "ai_edge_litert", "faiss", "safetensors", "PIL", "jinja2", "uv", "flatbuffers", "ray")
BLOCKER = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {absent}:
            raise ImportError(f"{{name}} is not here")

sys.meta_path.insert(0, Absent())
"""


# where the system lets us: with 64 kB of shared memory, as in some containers
TINY = ["unshare", "-Urm", "sh", "-c", 'mount -t tmpfs -o size=64k tmpfs /dev/shm && exec "$@"', "sh"]


def with_little_shared_memory():
    able = shutil.which("unshare") and not subprocess.run([*TINY, "true"], capture_output=True, check=False).returncode
    return TINY if able else []


def a_project(folder, project):
    """Photos of two persons who train and two who are searched for, indexed, and a small recipe."""
    rng = np.random.default_rng(0)
    rows = []
    for number in range(16):
        path = f"{number}.png"
        (folder / "photos").mkdir(exist_ok=True)
        cv2.imwrite(str(folder / "photos" / path), rng.integers(0, 256, (40, 20, 3), dtype=np.uint8))
        split = "train" if number < 8 else ("query" if number % 2 else "gallery")
        row = {"path": path, "split": split, "pid": number // 4, "camid": number % 2, "sha1": path}
        rows.append({**row, "width": 20, "height": 40})
    image_table.write(image_table.build(rows, {}), folder / "data/index/folder.parquet")
    values = yaml.safe_load((project / "params.yaml").read_text(encoding="utf-8"))
    values["raw"]["folder"] = str(folder / "photos")
    values["recipes"]["laptop"] |= {"height": 64, "width": 32, "epochs": 1}
    (folder / "params.yaml").write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")


@pytest.fixture
def there(tmp_path):
    """The environment of a machine without them, for Python's processes and their own."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site/sitecustomize.py").write_text(BLOCKER.format(absent=set(ABSENT)), encoding="utf-8")
    way = os.pathsep.join(filter(None, [str(tmp_path / "site"), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": way}


def test_methods_are_trained_and_evaluated_there_several_at_once(tmp_path, project, there):
    a_project(tmp_path, project)
    words = ["--models", "bot", "pcb", "--seeds", "1", "2", "--jobs", "2", "--dataset", "folder", "--out", "out"]
    words += ["-S", "methods.bot.smoothing=0.2", "-S", "recipes.laptop.pcb.embedding=64"]
    command = [sys.executable, str(project / "benchmarks/methods.py"), *words]
    done = subprocess.run(
        [*with_little_shared_memory(), *command], capture_output=True, text=True, check=False, env=there, cwd=tmp_path
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = (tmp_path / "out/results.jsonl").read_text()
    lines = [json.loads(line) for line in found.splitlines()]
    for run in [(name, seed) for name in ("bot", "pcb") for seed in (1, 2)]:
        own = [line for line in lines if (line["run"], line["seed"]) == run]
        assert [line.get("stage") for line in own] == ["train", "embed", "evaluate", None]
        assert all(0 <= values["mAP"] <= 1 for values in own[-1]["metrics"].values())
        assert own[-1]["training"]["cross_entropy"] > 0
    (own_folder,) = (tmp_path / "out").glob("pcb-s2-*")
    assert len(list((tmp_path / "out/tmp/pixels").glob("*.bytes"))) == 1  # decoded once for all
    values = params.load(own_folder / "params.yaml")
    assert (values.model, values.train.seed, values.recipe_of("pcb")[1]["embedding"]) == ("pcb", 2, 64)
    table = (tmp_path / "out/table.md").read_text()
    assert table.count("±") == 4  # mAP and rank-1 of both

    again = subprocess.run(command, capture_output=True, text=True, check=False, env=there, cwd=tmp_path)
    assert again.returncode == 0, again.stdout + again.stderr
    assert (tmp_path / "out/results.jsonl").read_text() == found


def test_the_gpu_is_measured_there(project, there):
    command = [sys.executable, str(project / "benchmarks/gpu.py"), "--out", ".", "--one", "bot", "auto", "--small"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=there, cwd=project)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["fed"] > 0


@pytest.fixture
def benchmark(project, monkeypatch):
    """benchmarks/methods.py as a module, in the project's folder."""
    monkeypatch.chdir(project)
    spec = importlib.util.spec_from_file_location("methods_benchmark", project / "benchmarks/methods.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module


def test_what_several_rows_start_from_is_made_once_a_seed(tmp_path, benchmark):
    table = ablation.read(Path("ablations.yaml"), "mpn", "1")
    runs = [benchmark.planned(tmp_path, params.read(), {}, table, row, seed) for seed in (1, 2) for row in table.rows]
    before = {each.folder: each for run in runs for each in benchmark.pretrainings(run)}
    assert [(each.name, each.seed) for each in before.values()] == [("pretrain-ide", 1), ("pretrain-ide", 2)]
    assert len({run.folder for run in runs}) == 2 * len(table.rows)
    for name in ("4", "5"):  # names that differ in a sign alone: S and S*, A <- S and A <-> S
        table = ablation.read(Path("ablations.yaml"), "fsam", name)
        planned = {benchmark.planned(tmp_path, params.read(), {}, table, row, 1).folder for row in table.rows}
        assert len(planned) == len(table.rows)
    table = ablation.read(Path("ablations.yaml"), "mpn", "1")
    other = benchmark.planned(tmp_path, params.read(), {"recipes.laptop.ide.epochs": 1}, table, table.rows[0], 1)
    assert other.starts["ide"] not in before


@pytest.mark.parametrize(
    ("paper", "name", "shared"),
    [
        ("bpbreid", "2", [["BPBreID", "w/o visibility scores"]]),
        ("bpbreid", "3", [["f_g", "f_f", "f_c"]]),
        ("fsam", "3", [["A", "S"], ["A (MU)", "S (MU)"]]),
        ("mpn", "1", []),
        ("pah", "erasing", []),  # a test that erases: its value is one of the method's block, which trains
    ],
)
def test_rows_that_a_test_alone_tells_apart_have_one_training(tmp_path, benchmark, paper, name, shared):
    table = ablation.read(Path("ablations.yaml"), paper, name)
    runs = [benchmark.planned(tmp_path, params.read(), {}, table, row, seed) for seed in (1, 2) for row in table.rows]
    groups = benchmark.by_training(runs)
    assert sorted(run.name for group in groups for run in group) == sorted(run.name for run in runs)
    several = [group for group in groups if len(group) > 1]
    assert [[run.name for run in group][: len(names)] for group, names in zip(several, 2 * shared, strict=True)] == (
        2 * shared
    )
    for first, *others in groups:
        assert [stage for stage, *_ in first.stages] == ["train", "embed", "evaluate"]
        for each in others:
            assert [stage for stage, *_ in each.stages] == ["embed", "evaluate"]
            assert (each.seed, each.trained_in, each.folder != first.folder) == (first.seed, first.folder, True)


def test_a_row_comes_after_the_one_that_trains_for_it(tmp_path, benchmark, monkeypatch):
    done = []
    monkeypatch.setattr(benchmark, "apart", lambda run, *_: done.append(run))
    words = ["--out", str(tmp_path), "--table", "bpbreid", "2", "--seeds", "1", "2", "--jobs", "2"]
    monkeypatch.setattr(sys, "argv", ["methods.py", *words])
    with pytest.raises(UserError, match="no result of BoT baseline, seed 1; BPBreID, seed 1;"):
        benchmark.main()
    for seed in (1, 2):
        (first,) = [run for run in done if (run.name, run.seed) == ("BPBreID", seed)]
        (second,) = [run for run in done if (run.name, run.seed) == ("w/o visibility scores", seed)]
        assert second.trained_in == first.folder
        assert done.index(first) < done.index(second)


def test_a_row_is_tested_with_the_weights_that_another_trained(tmp_path, project, benchmark, monkeypatch):
    a_project(tmp_path, project)
    monkeypatch.chdir(tmp_path)
    rows = [Row(name, {"at_test.pcb.vectors": name}, {}, "pcb") for name in ("reduced", "averages")]
    table = Table("", "", "", "pcb", rows)
    planned = [benchmark.planned(tmp_path / "out", params.read(), {"dataset": "folder"}, table, row, 1) for row in rows]
    ((first, second),) = benchmark.by_training(planned)
    for run in (first, second):
        benchmark.prepared(run)
        with chdir(run.folder):
            benchmark.here(run.name, "1", json.dumps(run.stages))
    lines = [json.loads(line) for line in (tmp_path / "out/results.jsonl").read_text().splitlines()]
    assert [line.get("stage") for line in lines] == ["train", "embed", "evaluate", None, "embed", "evaluate", None]
    assert lines[-1]["training"] == lines[3]["training"]
    files = places.Run("pcb", "folder", "folder")
    assert (second.folder / files.weights).samefile(first.folder / files.weights)
    found = [embeddings.read(run.folder / files.embeddings) for run in (first, second)]
    assert found[0].header["weights"] == found[1].header["weights"]
    assert found[0].features.shape != found[1].features.shape
    benchmark.prepared(replace(first, trained_in=second.folder))  # called for other rows: what it trained stays
    assert not (first.folder / files.weights).is_symlink()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["bpbreid", "tools"], "labels.pifpaf.tool"),  # a row needs other labels
        (["bpbreid", "4-pcb"], "images_per_id is 1, but pcb compares images of a person"),
        (["mpn", "1", "-S", "methods.mpn.alignment=none"], "alignment: the row .* has a value of its own"),
        (["mpn", "1", "-S", "train.start_from=absent.pt"], "no file weights/absent.pt"),
    ],
)
def test_a_table_that_would_not_be_what_it_says_is_refused(tmp_path, benchmark, monkeypatch, words, message):
    monkeypatch.setattr(sys, "argv", ["methods.py", "--out", str(tmp_path / "out"), "--table", *words])
    with pytest.raises(UserError, match=message):
        benchmark.main()
    assert not (tmp_path / "out").exists()
