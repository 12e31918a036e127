"""The evaluate stage and the colour histogram, in a project of one tiny data set."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

import coloured_persons
from partreid.storage import embeddings, image_table
from partreid.storage.embeddings import Embeddings
from partreid.storage.files import sha256

PROJECT = Path(__file__).parents[2]
FILES = ("metrics.json", "cmc.csv", "record.json", "ranks.parquet")


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project folder with `folder` as data set: 6 persons in plain colours, by 2 cameras. It is where we are."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    values = coloured_persons.project(tmp_path, 6)
    values["evaluate"]["ranks"] = 5
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))
    return tmp_path


def _embed(project, noise=0.0, **header):
    index = project / "data/index/folder.parquet"
    table = image_table.read(index)
    features = np.eye(6, dtype=np.float32)[image_table.integers(table, "pid")][:, None]
    features += noise * np.random.default_rng(0).random(features.shape, np.float32)
    header = {"distance": "cosine", "table": sha256(index), "weights": "w", "labels": {}, "seed": 1} | header
    every = Embeddings(image_table.integers(table, "image_id"), features, np.ones((12, 1), np.float32), header)
    embeddings.write(project / "runs/bot-folder/embeddings.npz", header, [every])


def test_queries_that_can_be_compared_with_nothing_are_counted(project, program):
    _embed(project, distance="parts")
    file = project / "runs/bot-folder/embeddings.npz"
    every = embeddings.read(file)
    table = image_table.read(project / "data/index/folder.parquet")
    asking = table.filter(pa.compute.equal(table["split"], "query"))["image_id"].to_numpy()[:2]
    shown = every.visibility.copy()
    shown[np.isin(every.image_id, asking)] = 0
    embeddings.write(file, every.header, [Embeddings(every.image_id, every.features, shown, every.header)])
    done = program(PROJECT / "stages/evaluate.py")
    assert done.returncode == 0, done.stderr
    assert "warning: photos: 2 of 6 queries could be compared with nothing" in done.stdout
    metrics = json.loads((project / "results/folder/bot/metrics.json").read_text())
    assert metrics["photos"]["incomparable"] == 2
    assert metrics["photos"]["rank1"] == pytest.approx((4 + 2 / 6) / 6, abs=1e-6)  # one of six gallery images is right


def test_the_stage_writes_its_files_and_prints_the_metrics(project, program):
    _embed(project)
    done = program(PROJECT / "stages/evaluate.py")
    assert done.returncode == 0, done.stderr
    assert "photos" in done.stdout
    assert "100.00" in done.stdout
    out = project / "results/folder/bot"
    assert sorted(path.name for path in out.iterdir()) == sorted(FILES)
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["photos"] == {
        "mAP": 1.0, "mINP": 1.0, "rank1": 1.0, "rank5": 1.0, "rank10": 1.0, "rank20": 1.0,
        "queries": 6, "skipped": 0, "gallery": 6,
    }  # fmt: skip
    ranks = pq.read_table(out / "ranks.parquet")
    assert json.loads(ranks.schema.metadata[b"record"]) == json.loads((out / "record.json").read_text())
    assert ranks["gallery"][0].as_py()[0] == 1
    assert len(ranks["gallery"][0].as_py()) == 5


def test_re_ranking_is_shown_beside_the_plain_protocol_and_named_in_full(project, program):
    _embed(project, noise=1.0)
    values = yaml.safe_load((project / "params.yaml").read_text())
    values["evaluate"]["rerank"] = {"code": "matlab", "k1": 3, "k2": 2, "original": 0.25}
    (project / "params.yaml").write_text(yaml.safe_dump(values))
    done = program(PROJECT / "stages/evaluate.py")
    assert done.returncode == 0, done.stderr
    out = project / "results/folder/bot"
    assert list(json.loads((out / "metrics.json").read_text())) == ["photos", "photos re-ranked"]
    plain, again = json.loads((out / "record.json").read_text())["protocols"].values()
    assert again == f"{plain}; k-reciprocal re-ranking with k1 3, k2 2, lambda 0.25, half lists as the matlab code"
    ranks = pq.read_table(out / "ranks.parquet")
    distances = dict(zip(ranks["protocol"].to_pylist(), ranks["distance"].to_pylist(), strict=True))
    assert distances["photos"] != distances["photos re-ranked"]


def test_a_model_tested_on_another_set_leaves_its_results_under_both_names(project, program):
    _embed(project)
    values = yaml.safe_load((project / "params.yaml").read_text())
    (project / "params.yaml").write_text(yaml.safe_dump(values | {"dataset": "synthetic"}))
    (project / "runs/bot-folder").rename(project / "runs/bot-synthetic")
    runs = project / "runs/bot-synthetic"
    (runs / "embeddings.npz").rename(runs / "embeddings-folder.npz")
    done = program(PROJECT / "stages/evaluate.py", "folder")
    assert done.returncode == 0, done.stderr
    assert "bot on folder, trained on synthetic" in done.stdout
    assert sorted(path.name for path in (project / "results/folder/bot-synthetic").iterdir()) == sorted(FILES)
    assert not (project / "results/folder/bot").exists()


def test_embeddings_of_another_index_are_refused(project, program):
    _embed(project, table="0" * 64)
    done = program(PROJECT / "stages/evaluate.py")
    assert done.returncode == 1
    assert "another image table" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (project / "results").exists()


def test_a_set_without_any_match_says_so(project, program):
    index = project / "data/index/folder.parquet"
    table = image_table.read(index)
    cameras = table.schema.get_field_index("camid")
    image_table.write(table.set_column(cameras, table.schema.field(cameras), pa.array([0] * 12, pa.int32())), index)
    _embed(project)
    done = program(PROJECT / "stages/evaluate.py")
    assert done.returncode == 1
    assert "no query of folder has a right answer" in done.stderr


def test_the_colour_histogram_knows_coloured_persons_apart(project):
    environment = {**os.environ, "PYTHONPATH": str(PROJECT / "src")}
    command = [sys.executable, str(PROJECT / "benchmarks/colour_histogram.py"), "folder"]
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    header, row = done.stdout.splitlines()[1:]
    found = dict(zip(header.replace("chance ", "chance_").split(), row.split(), strict=True))
    assert found["rank1"] == "100.00"
    assert found["chance_rank1"] == "16.67"
    assert found["chance_mAP"] == "40.83"  # (1 + 1/2 + .. + 1/6) / 6
