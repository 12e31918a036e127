"""A whole run, with labels that the method makes itself: PAH-Net's part stream on a tiny set."""

import json
import math
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from partreid import methods, params
from partreid.labels import made
from partreid.params import Recipe, Train
from partreid.storage import image_table
from partreid.storage.cache import MISSING, OK, Cache
from partreid.training import run as training
from partreid.training.from_disk import training_set

RECIPE = Recipe(
    backbone="mobilenet_v2", height=32, width=16, epochs=3, ids_per_batch=2, images_per_id=2, optimizer="adam",
    learning_rate=1e-3, weight_decay=5e-4, warmup_epochs=1, warmup_start=0.1, decay_at=[], decay=1.0, flip=0.5, pad=2,
    erase=0.5, schedule="cosine",
)  # fmt: skip
FOLDER = Path("runs/pah-synthetic")
FILE = FOLDER / "labels/pseudo_parts.npz"


class Killed(Exception):
    pass


@pytest.fixture
def start(tmp_path, monkeypatch, project):
    """A function that runs the training in a folder of its own and returns the weights that it saved."""
    rng = np.random.default_rng(0)
    rows = []
    for number in range(10):
        cv2.imwrite(str(tmp_path / f"{number}.png"), rng.integers(0, 256, (40, 20, 3), dtype=np.uint8))
        split = "query" if number in (3, 7) else "train"
        rows.append(
            {"path": f"{number}.png", "split": split, "pid": number // 5, "width": 20, "height": 40, "sha1": ""}
        )
    table = tmp_path / "table.parquet"
    image_table.write(image_table.build(rows, {}), table)
    _, own = params.load(project / "params.yaml").recipe_of("pah")

    def run(folder, **changes):
        (tmp_path / folder).mkdir(exist_ok=True)
        monkeypatch.chdir(tmp_path / folder)
        monkeypatch.delenv("DVC_ROOT", raising=False)
        data = training_set(table, tmp_path, {})
        options = {**own, "streams": ["parts"], "part_backbone": "mobilenet_v2_dense", **changes}
        torch.manual_seed(1)
        method = methods.build("pah", backbone="mobilenet_v2", identities=2, **options)
        header = {"model": "pah", "dataset": "synthetic", "backbone": "mobilenet_v2", "identities": 2}
        header |= {"options": options, "height": 32, "width": 16}
        settings = Train(1, "cpu", "float32", "auto", "imagenet")
        training.run(method, data, RECIPE, settings, header, FOLDER, table)
        return methods.load(FOLDER / "weights.safetensors").method.state_dict()

    run.table = table
    return run


def test_a_run_that_was_killed_ends_as_an_undisturbed_one_with_its_labels(start, tmp_path, monkeypatch):
    whole = start("whole")
    budget = json.loads((tmp_path / "whole" / FOLDER / "training.json").read_text())
    assert (budget["epochs"], budget["images"]) == (3, 4 * budget["steps"])
    assert 0 < budget["cross_entropy"] < 3
    assert budget["chance"] == math.log(2)
    written, write = [], made.write

    def dies(path, label, table, paths, maps, parameters):
        written.append(parameters["epoch"])
        if parameters["epoch"] == 2:
            raise Killed
        write(path, label, table, paths, maps, parameters)

    monkeypatch.setattr(made, "write", dies)
    monkeypatch.setattr(training, "SECONDS", 0)
    with pytest.raises(Killed):
        start("killed")
    first = Cache(tmp_path / "killed" / FILE, "label/pseudo_parts", start.table)
    assert first.header["parameters"] == {"epoch": 1}  # to be looked at while training goes on
    monkeypatch.setattr(made, "write", write)
    resumed = start("killed")
    assert json.loads((tmp_path / "killed" / FOLDER / "training.json").read_text()) == budget
    assert not list((tmp_path / "killed" / FOLDER / "curves").rglob("steps.tsv"))
    assert written == [1, 2]
    assert all(torch.equal(value, resumed[name]) for name, value in whole.items())
    assert (tmp_path / "whole" / FILE).read_bytes() == (tmp_path / "killed" / FILE).read_bytes()
    cache = Cache(tmp_path / "whole" / FILE, "label/pseudo_parts", start.table)
    assert cache.header["parameters"] == {"epoch": 3}
    assert cache.status.tolist() == [MISSING if n in (3, 7) else OK for n in range(10)]
    assert cache.rows("maps", np.arange(10)).shape == (10, 8, 4)


def test_a_network_without_parts_has_a_file_without_labels(start, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "train", lambda *_, keep, **__: keep(0))
    start("global", streams=["global"])
    cache = Cache(tmp_path / "global" / FILE, "label/pseudo_parts", start.table)
    assert (cache.status == MISSING).all()


def test_a_method_that_makes_no_labels_leaves_no_empty_folder_of_which_dvc_would_warn(start, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "train", lambda *_, **__: None)
    start("silent")
    assert [file.name for file in (tmp_path / "silent" / FOLDER / "labels").iterdir()] == ["none.txt"]
