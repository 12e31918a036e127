import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from partreid import params
from partreid.errors import UserError
from partreid.experiments.overrides import changed
from partreid.params import Coverage
from partreid.storage import cache, columns, image_table
from partreid.storage.files import sha256
from partreid.training.coverage import covered

WANTED = Coverage(0.5, 0.8)


def made(folder: Path, status: list[int]) -> tuple[Path, Path]:
    """An image table, a label file of its images; the last two rows are no training images, one is junk."""
    table, label = folder / "data/index/folder.parquet", folder / "data/labels/heads/folder.parquet"
    shared = {"sha1": "0", "width": 64, "height": 128, "camid": 0}
    rows = [
        {**shared, "path": f"{row}.jpg", "split": "train", "pid": -1 if row == 0 else 1 + row % 2}
        for row in range(len(status) - 2)
    ]
    rows += [{**shared, "path": f"{split}.jpg", "split": split, "pid": 3} for split in ("query", "gallery")]
    image_table.write(image_table.build(rows, {}), table)
    values = np.array(status, np.uint8)
    head = cache.counted(cache.header("label/heads", "blazepose", "2", None, {}, sha256(table)), values)
    zeros = {name: np.zeros(len(values), np.float32) for name in ("score", "x0", "y0", "x1", "y1")}
    columns.write(label, head, [{"status": values, **zeros}])
    return table, label


def test_the_share_is_that_of_the_training_images_without_junk(tmp_path, capsys):
    table, label = made(tmp_path, [1, 0, 0, 0, 2, 1, 0, 1, 1])  # junk first, query and gallery last
    assert covered(table, {"heads": label}, "folder", WANTED) == {"heads": pytest.approx(4 / 6)}
    said = capsys.readouterr().err
    assert said.startswith("warning: label heads is known for 4 of 6 training images of folder (66.7 %)")
    assert "tool blazepose found nobody in 1 and failed on 1" in said
    assert covered(table, {}, "folder", WANTED) == {}


def test_enough_says_nothing(tmp_path, capsys):
    table, label = made(tmp_path, [1, 0, 0, 0, 0, 0, 1, 1])
    assert covered(table, {"heads": label}, "folder", WANTED) == {"heads": 1}
    assert capsys.readouterr() == ("", "")


def test_too_few_are_an_error_that_says_where_to_look(tmp_path):
    table, label = made(tmp_path, [0, 0, 0, 1, 1, 1, 0, 0])
    with pytest.raises(UserError, match=r"2 of 5 training .*inspect.py heads folder --worst.*labels.min_coverage"):
        covered(table, {"heads": label}, "folder", WANTED)
    assert covered(table, {"heads": label}, "folder", Coverage(0, 0)) == {"heads": pytest.approx(0.4)}


def test_the_training_stage_stops_before_it_reads_an_image(tmp_path, monkeypatch, project, capsys):
    monkeypatch.chdir(tmp_path)
    made(tmp_path, [1] * 8)
    (tmp_path / "params.yaml").write_bytes((project / "params.yaml").read_bytes())
    monkeypatch.setattr(sys, "argv", ["train.py", "pah", "folder"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(project / "stages/train.py"), run_name="__main__")
    assert ended.value.code == 1
    said = capsys.readouterr().err
    assert "error: label heads is known for 0 of 5 training images of folder (0.0 %)" in said
    assert not (tmp_path / "runs").exists()


def test_a_published_network_that_learns_nothing_needs_no_label(tmp_path, monkeypatch, project, capsys):
    """Openpose's weights as they are, `epochs: 0` of recipe `paper`; here random ones, and no label at all."""
    monkeypatch.chdir(tmp_path)
    made(tmp_path, [0] * 8)
    values = params.read(project / "params.yaml")
    assert values["pretraining"]["partmaps"]["epochs"] == 0
    values = changed(values, {"recipe": "paper", "pretraining.partmaps.published": False})
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))
    monkeypatch.setattr(sys, "argv", ["pretrain.py", "partmaps", "folder"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(project / "stages/pretrain.py"), run_name="__main__")
    assert ended.value.code == 0
    assert "0 epochs" in capsys.readouterr().out
    assert Path("runs/pretrain-partmaps-folder/weights.safetensors").is_file()
