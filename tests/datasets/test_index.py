"""The stage, as a user runs it, in a small project of its own."""

from functools import partial

import pytest
import yaml

from dataset_trees import market1501, photos
from partreid.storage import image_table


@pytest.fixture
def index(tmp_path, project, program, monkeypatch):
    """Run stages/index.py in a project whose raw folders are tmp_path/market and tmp_path/photos."""
    values = yaml.safe_load((project / "params.yaml").read_text(encoding="utf-8"))
    values["raw"] |= {"market1501": str(tmp_path / "market"), "folder": str(tmp_path / "photos")}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    return partial(program, project / "stages/index.py")


def test_a_partial_market_is_written_with_warnings(index, tmp_path):
    market1501(tmp_path / "market")
    done = index("market1501")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["split", "images", "persons", "cameras", "distractors", "junk"]
    assert lines[1].split() == ["train", "3", "2", "3", "0", "0"]
    assert lines[3].split() == ["gallery", "7", "2", "4", "1", "2"]
    assert lines[4].split() == ["skipped", "0"]
    assert "warning: this copy is incomplete or altered: query images: found 3, published 3368" in lines
    assert "no images: 3 .db" in lines
    table = image_table.read(tmp_path / "data" / "index" / "market1501.parquet")
    assert len(table) == 13

    checked = index("--check", "market1501")
    assert checked.returncode == 1
    assert "11 counts differ from the published ones" in checked.stderr
    assert ["gallery", "junk", "2", "3819", "DIFFERS"] in [line.split() for line in checked.stdout.splitlines()]


def test_own_photos_name_what_was_skipped_and_check_writes_nothing(index, tmp_path):
    photos(tmp_path / "photos", {f"p{n}": {"a": 2, "b": 2} for n in range(4)})
    for n in range(12):
        (tmp_path / "photos" / "p0" / "a" / f"x{n:02d}.jpg").touch()
    checked = index("folder", "--check")
    assert checked.returncode == 0, checked.stderr
    assert not (tmp_path / "data").exists()
    done = index("folder")
    assert done.returncode == 0, done.stderr
    assert "skipped 12:\n  p0/a/x00.jpg: the file is empty\n" in done.stdout
    assert "... and 2 more" in done.stdout
    assert done.stdout.endswith("data/index/folder.parquet: 16 images\n")


def test_what_params_yaml_chooses_is_told_and_changes_no_table(index, tmp_path):
    photos(tmp_path / "photos", {f"p{n}": {"a": 2, "b": 2} for n in range(6)})
    assert "too few to learn from" not in index("folder").stdout
    before = (tmp_path / "data/index/folder.parquet").read_bytes()
    values = yaml.safe_load((tmp_path / "params.yaml").read_text(encoding="utf-8"))
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({**values, "dataset": "folder"}), encoding="utf-8")
    assert "warning: folder has 3 persons to train on: too few to learn from" in index("folder").stdout
    assert (tmp_path / "data/index/folder.parquet").read_bytes() == before


def test_errors_are_one_message_without_a_traceback(index, tmp_path):
    done = index("market1501")
    assert done.returncode == 1
    assert done.stderr.startswith("error: this is not Market-1501-v15.09.15\nexpected:\n")
    assert f"no such folder: {tmp_path / 'market'}" in done.stderr
    assert "Traceback" not in done.stderr
    unknown = index("marked1501")
    assert unknown.returncode == 1
    assert unknown.stderr.startswith("error: unknown data set 'marked1501'; known: celeb_reid, ")
    assert unknown.stderr.count("\n") == 1
