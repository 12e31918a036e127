"""Keeping runs, and the table of those that there are."""

import copy
import errno
import json
import re
import runpy
import shutil
from datetime import datetime
from pathlib import Path

import pytest
import torch

from partreid import params
from partreid.errors import UserError
from partreid.experiments import kept, overrides
from partreid.storage import weights
from partreid.storage.places import Run

HERE = Run("bot", "folder", "folder")


@pytest.fixture
def done(project, tmp_path, monkeypatch):
    """A project folder with a run of bot on folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text(
        (project / "params.yaml").read_text().replace("model: bpbreid", "model: bot").replace("ranks: 20", "ranks: 21")
    )
    HERE.results.mkdir(parents=True)
    (HERE.results / "metrics.json").write_text(json.dumps({"photos": {"mAP": 0.5, "rank1": 0.75}, "other": {"mAP": 1}}))
    (HERE.results / "report.html").write_text("<html/>")
    HERE.folder.mkdir(parents=True)
    p = params.load()
    recipe, options = p.recipe_of("bot")
    header = {"recipe": p.recipe, "seed": p.train.seed, "training": vars(recipe), "options": options}
    weights.save(HERE.weights, header, {"a": torch.zeros(1)})
    HERE.embeddings.write_bytes(b"embeddings")  # with which the search sets a threshold
    return tmp_path


def shown(values, **more):
    data = {"timestamp": "2026-11-26T10:00:00", "params": {"params.yaml": {"data": values}}, **more}
    return [{"rev": "b" * 40, "experiments": [{"name": "calm-dove", "revs": [{"rev": "a" * 40, "data": data}]}]}]


def test_what_is_kept_stays_with_its_values_and_weights(done):
    assert str(kept.keep("first", HERE)) == "kept/first"
    (HERE.results / "metrics.json").unlink()
    names = {path.name for path in (done / "kept/first").iterdir()}
    assert names == {"metrics.json", "report.html", "params.yaml", "weights.safetensors", "embeddings.npz"}
    (line,) = kept.kept()
    assert (line.name, line.values["model"], line.measure("mAP")) == ("kept/first", "bot", 0.5)
    made = datetime.fromtimestamp((done / "kept/first/params.yaml").stat().st_mtime)
    assert line.when == made.strftime("%Y-%m-%dT%H:%M")


def test_nothing_is_kept_under_values_that_are_not_its_own(done):
    (done / "params.yaml").write_text(
        re.sub(r"seed: \d+\n(  device)", r"seed: 77\n\1", (done / "params.yaml").read_text())
    )
    with pytest.raises(UserError, match=r"was trained with seed = \d+, and params\.yaml, .*, has 77 by now"):
        kept.keep("first", HERE)
    assert not (done / "kept").exists()


def test_files_beside_kept_runs_are_nobodys_business(done):
    kept.keep("first", HERE)
    (done / "kept/notes.txt").write_text("first is the best")
    assert [line.name for line in kept.kept()] == ["kept/first"]


@pytest.mark.parametrize(
    ("name", "said"), [("first", "is there already"), ("a/b", "no name"), (".x", "no name"), ("", "no name")]
)
def test_a_name_that_cannot_be_taken_is_one_line(done, name, said):
    kept.keep("first", HERE)
    with pytest.raises(UserError, match=said):
        kept.keep(name, HERE)
    assert [path.name for path in (done / "kept").iterdir()] == ["first"]


def test_a_full_disk_is_one_line_and_keeps_nothing(done, monkeypatch):
    def full(source, target):
        Path(target).write_bytes(b"half")
        error = OSError(errno.ENOSPC, "No space left on device", str(source))
        error.filename2 = str(target)  # as shutil says it
        raise error

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(UserError, match=r"^kept/first cannot be written \(No space left on device\)$"):
        kept.keep("first", HERE)
    assert not (done / "kept").exists()
    monkeypatch.undo()
    monkeypatch.chdir(done)
    kept.keep("first", HERE)


def test_without_results_nothing_is_kept(done):
    with pytest.raises(UserError, match="no results in results/folder/pcb"):
        kept.keep("x", Run("pcb", "folder", "folder"))
    assert not (done / "kept").exists()


@pytest.mark.usefixtures("done")
def test_the_table_names_what_differs_and_the_main_protocol(values):
    kept.keep("first", HERE)
    other = overrides.changed(values, {"train.seed": 3})
    metrics = {"results/synthetic/bpbreid/metrics.json": {"data": {"general": {"mAP": 0.25, "rank1": 0.5}}}}
    lines = [*kept.kept(), *kept.experiments(shown(other, metrics=metrics))]
    text = kept.table(lines, values).splitlines()
    assert text[1].split() == [
        "kept/first",
        lines[0].when,
        "-",
        "bot",
        "synthetic",
        "50.0",
        "75.0",
        "evaluate.ranks=21",
    ]
    made = ["calm-dove", "2026-11-26T10:00", "bbbbbbb"]
    assert text[2].split() == [*made, "bpbreid", "synthetic", "25.0", "50.0", "train.seed=3"]
    told = kept.difference(lines[1], lines[0])
    assert "train.seed=1" in told
    assert "model=bot" in told
    assert "photos" in told
    with pytest.raises(UserError, match="no run 'x'; known: kept/first, calm-dove"):
        kept.found(lines, "x")


def test_a_run_without_results_says_its_state(values):
    entry = shown(copy.deepcopy(values))
    entry[0]["experiments"][0]["executor"] = {"state": "failed"}
    assert "failed" in kept.table(kept.experiments(entry), values)


@pytest.mark.parametrize("state", ["queued", "running", "failed"])
def test_a_run_that_did_not_end_has_none_of_the_commits_results(values, state):
    metrics = {f"results/{values['dataset']}/{values['model']}/metrics.json": {"data": {"photos": {"mAP": 0.387}}}}
    entry = shown(copy.deepcopy(values), metrics=metrics)  # DVC tells them of it
    assert "38.7" in kept.table(kept.experiments(entry), values)
    entry[0]["experiments"][0]["executor"] = {"state": state}
    (line,) = kept.experiments(entry)
    assert line.metrics is None
    assert state in kept.table([line], values)


def test_the_programs_are_there(done, project, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["keep.py", "mine"])
    HERE.results.parent.rename(done / "results/synthetic")
    HERE.folder.rename(done / "runs/bot-synthetic")
    runpy.run_path(str(project / "stages/keep.py"))["main"]()
    monkeypatch.setattr("sys.argv", ["runs.py", "--sort", "mAP"])
    main = runpy.run_path(str(project / "stages/runs.py"))["main"]
    monkeypatch.setitem(main.__globals__, "show", lambda *_: [])
    main()
    assert "kept/mine" in capsys.readouterr().out
    shutil.rmtree("kept")
    main()
    assert "`python stages/keep.py NAME` lists results" in capsys.readouterr().out
