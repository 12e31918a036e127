"""What counts as done, and that only what is new is queued."""

import copy
import shlex
import subprocess
from functools import partial
from pathlib import Path

import pytest

from partreid.errors import UserError
from partreid.experiments import cells, dvc, queue
from partreid.experiments import shown as knowledge
from partreid.experiments.queue import experiment
from partreid.experiments.shown import state, training
from partreid.storage.files import alone
from partreid.storage.revision import same_code


def table(digest):
    return {"data/index/synthetic.parquet": {"hash": digest}}


def shown(content, metrics, progress="success", rev="e1", images="then", name="n"):
    """What dvc shows of one experiment, and of one that it cannot read."""
    data = {
        "params": {"params.yaml": {"data": content}},
        "metrics": {"results/synthetic/mpn/metrics.json": {"data": metrics}, "another.json": {"error": "gone"}},
        "outs": table(images),
    }
    entry = {"revs": [{"rev": rev, "data": data}], "executor": {"state": progress}, "name": name}
    return [
        {"rev": "workspace", "data": {**data, "outs": table("then")}, "experiments": None},
        {"rev": "abc", "experiments": [entry, {"revs": [{"rev": "e2", "data": None}]}]},
    ]


@pytest.fixture(autouse=True)
def repository(monkeypatch):
    """Experiments are of the commit's code, but for `edited`."""
    monkeypatch.setattr(knowledge, "same_code", lambda revision: revision != "edited")


CHANGES = {"model": "mpn", "dataset": "synthetic", "train.seed": 7, "methods.mpn.alignment": "none"}
METRICS = {"general": {"mAP": 0.5, "rank1": 0.6}}


def test_an_experiment_is_known_by_its_parameters(values):
    wanted = experiment("x", values, CHANGES).wanted
    assert wanted["methods"]["mpn"]["alignment"] == "none"
    assert wanted["train"]["seed"] == 7
    assert values["train"]["seed"] != 7  # a copy
    assert state(shown(wanted, METRICS), wanted) == ("done", METRICS)
    assert state(shown(wanted, METRICS, "queued"), wanted) == ("queued", None)
    assert state(shown(wanted, METRICS, "running"), wanted) == ("queued", None)
    assert state(shown(wanted, METRICS, "failed"), wanted) == ("new", None)
    assert state(shown(wanted, None), wanted) == ("new", None)
    assert state([], wanted) == ("new", None)
    assert state(shown(wanted, METRICS, rev="edited"), wanted) == ("new", None)
    assert state(shown(wanted, METRICS, "queued", rev="edited"), wanted) == ("new", None)
    other = copy.deepcopy(wanted)
    other["labels"]["schp"]["thickness"] = 2.0
    assert state(shown(other, METRICS), wanted) == ("new", None)


def test_a_done_experiment_tells_of_its_training(values):
    wanted = experiment("x", values, CHANGES).wanted
    told = {"steps": 3}
    for progress, found in (("success", told), ("running", None)):
        known = shown(wanted, METRICS, progress)
        assert training(known, wanted) is None  # of older code, whose training said nothing
        known[1]["experiments"][0]["revs"][0]["data"]["metrics"]["runs/mpn-synthetic/training.json"] = {"data": told}
        assert training(known, wanted) == found


@pytest.mark.parametrize(("images", "known"), [("then", "done"), ("other", "new"), (None, "done")])
def test_results_of_other_images_are_not_taken(values, images, known):
    wanted = experiment("x", values, CHANGES).wanted
    assert state(shown(wanted, METRICS, images=images), wanted)[0] == known


@pytest.mark.parametrize(
    ("then", "known"), [(None, "done"), ("0cc175b9c0f1b6a831c399e269772661", "done"), ("of other bytes", "new")]
)
def test_results_of_another_start_are_not_taken(values, tmp_path, monkeypatch, then, known):
    monkeypatch.chdir(tmp_path)
    wanted = experiment("x", values, {**CHANGES, "train.start_from": "old.safetensors"}).wanted
    found = shown(wanted, METRICS)
    found[1]["experiments"][0]["revs"][0]["data"]["deps"] = {"weights/old.safetensors": {"hash": then}}
    assert state(found, wanted)[0] == "done"  # the file has been thrown away since
    Path("weights").mkdir()
    Path("weights/old.safetensors").write_bytes(b"a")
    assert state(found, wanted)[0] == known


def test_a_queued_run_is_given_the_file_that_it_starts_from(values):
    assert "--copy-paths" not in experiment("x", values, CHANGES).command()
    command = experiment("x", values, {**CHANGES, "train.start_from": "old.safetensors"}).command()
    assert command[command.index("--copy-paths") + 1] == "weights/old.safetensors"


def test_names_are_what_git_takes_and_tell_parameters_apart(values):
    name = experiment("mpn-1-Naïve MTL (Eq. 9) [10]-s2", values, CHANGES).identifier
    assert name.startswith("mpn-1-na-ve-mtl-eq-9-10-s2-")
    assert name != experiment("mpn-1-Naïve MTL (Eq. 9) [10]-s2", values, {**CHANGES, "train.seed": 8}).identifier


@pytest.mark.parametrize(("runs", "text"), [([], "-"), ([0.25], "25.0"), ([0.2, 0.3], "25.0 ± 7.1")])
def test_mean_and_sample_standard_deviation(runs, text):
    assert cells.spread(runs) == text


@pytest.fixture
def did(monkeypatch, values, tmp_path):
    """What was done, in order; `work` gives the second of two seeds a result."""
    done = []
    known = shown(experiment("done", values, CHANGES).wanted, METRICS)
    result = shown(experiment("", values, {**CHANGES, "train.seed": 8}).wanted, METRICS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.setattr(queue, "committed", lambda: done.append("committed"))
    monkeypatch.setattr(dvc, "show", lambda: list(known))
    monkeypatch.setattr(dvc, "output", lambda *words: done.append(" ".join(words[:5])))
    monkeypatch.setattr(dvc, "unfinished", lambda: ({"another": "Queued"}, False))
    monkeypatch.setattr(dvc, "work", lambda _: known.extend(result))
    return done


def two(values):
    return [experiment(f"s{seed}", values, {**CHANGES, "train.seed": seed}) for seed in (7, 8)]


def test_only_what_is_new_is_queued_and_what_has_no_result_is_named(did, values, capsys):
    both = two(values)
    complete = partial(queue.complete, title="T", before=lambda: did.append("before"))
    assert complete(both, dry=True) is None
    out = capsys.readouterr().out
    assert "T: 2 runs, 1 done, 0 queued, 1 new" in out
    assert out.count("dvc exp run --queue") == 1
    assert "-S train.seed=8 -S methods.mpn.alignment=none evaluate" in out
    assert did == []

    assert complete(both) == [METRICS, METRICS]
    assert "the queue holds others too (1)" in capsys.readouterr().out
    assert did == ["committed", "before", f"exp run --queue --name {both[1].identifier}"]
    assert complete(both) == [METRICS, METRICS]
    assert len(did) == 3

    more = [*both, experiment("s9", values, {**CHANGES, "train.seed": 9})]
    results = complete(more)
    assert results == [METRICS, METRICS, None]
    with pytest.raises(UserError, match="no result of s9: `dvc queue status`"):
        queue.all_there(more, results)


@pytest.mark.usefixtures("did")
def test_what_would_be_run_can_be_pasted(values, capsys):
    changes = {**CHANGES, "also_test_on": ["a", "b c"]}
    queue.complete([experiment("x", values, changes)], "T", before=lambda: None, dry=True)
    line = capsys.readouterr().out.splitlines()[1]
    assert shlex.split(line) == ["dvc", *experiment("x", values, changes).command()]
    assert 'also_test_on=["a","b c"]' in shlex.split(line)


@pytest.mark.parametrize("progress", ["success", "failed"])
def test_one_of_the_name_without_metrics_makes_way(did, values, monkeypatch, progress):
    (_, new) = two(values)
    monkeypatch.setattr(dvc, "work", lambda _: False)
    monkeypatch.setattr(dvc, "show", lambda: shown(new.wanted, None, progress, name=new.identifier))
    queue.complete([new], "T", before=lambda: None)
    # what failed is not in git, and dvc would remove another commit's experiment of the name
    removed = [f"exp remove {new.identifier}"] if progress == "success" else []
    assert did == ["committed", *removed, f"exp run --queue --name {new.identifier}"]


def test_what_a_dead_worker_left_is_queued_again(did, values, monkeypatch):
    calls = []
    monkeypatch.setattr(dvc, "work", lambda _: calls.append("work") or len(calls) == 1)
    assert queue.complete(two(values), "T", before=lambda: None) == [METRICS, None]
    assert len(calls) == 2
    assert [each.split()[1] for each in did[1:]] == ["run", "run"]


def test_what_kills_every_worker_is_given_up(did, values, monkeypatch):
    calls = []
    monkeypatch.setattr(dvc, "work", lambda _: calls.append("work") or True)
    assert queue.complete(two(values), "T", before=lambda: None) == [METRICS, None]
    assert len(calls) == queue.ATTEMPTS
    assert [each.split()[0] for each in did] == ["committed", *["exp"] * queue.ATTEMPTS]


def test_two_do_not_queue_the_same(did, values, tmp_path):
    with alone(tmp_path / "tmp/experiments"), pytest.raises(UserError, match="another run is at work"):
        queue.complete(two(values), "T", before=lambda: None)
    assert did == []


# what git says


@pytest.fixture
def git(tmp_path, monkeypatch):
    """A repository with a commit, and a function that runs git there."""
    monkeypatch.chdir(tmp_path)

    def run(*words):
        name = ("-c", "user.name=test", "-c", "user.email=test@localhost")
        done = subprocess.run(["git", *name, *words], check=True, capture_output=True, text=True)
        return done.stdout.strip()

    for file in ("params.yaml", "data/dvc.lock", "src/a.py"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text("x\n")
    run("init", "-q")
    run("add", "-A")
    run("commit", "-qm", "first")
    return run


@pytest.mark.parametrize(
    ("file", "same"),
    [
        ("params.yaml", True),
        ("data/dvc.lock", True),
        ("dvc.lock", True),
        (".dvc/tmp/x", True),
        ("data/README.md", True),
        ("docs/parts.jpg", True),
        ("tests/test_a.py", True),
        ("src/a.py", False),
        ("requirements.txt", False),
    ],
)
def test_an_edited_file_makes_another_experiment_unless_it_decides_nothing(git, tmp_path, file, same):
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_text("other\n")
    git("add", "-A")
    if same:
        queue.committed()
    else:
        with pytest.raises(UserError, match=f"commit first, since results belong to a commit: {file} changed"):
            queue.committed()
    git("commit", "-qm", "experiment")
    revision = git("rev-parse", "HEAD")
    git("reset", "-q", "--hard", "HEAD~")
    assert same_code(revision) is same
    assert not same_code("0" * 40)  # one that is gone


def test_on_another_split_the_images_are_others_as_they_should():
    metrics = {"general": {"mAP": 0.5}}
    start = {"train": {"start_from": "imagenet"}}
    here, there = ({"dataset": "synthetic", "model": "mpn", "split": split, **start} for split in (0, 1))
    known = shown(there, metrics, images="of split 1")
    known[0]["data"]["params"] = {"params.yaml": {"data": here}}
    assert state(known, there) == ("done", metrics)
    known = shown(here, metrics, images="other")
    known[0]["data"]["params"] = {"params.yaml": {"data": here}}
    assert state(known, here) == ("new", None)
