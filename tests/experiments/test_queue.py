"""What counts as done, that only what is new is queued, and what is made of what dvc and git say."""

import copy
import json
import shlex
import subprocess
import sys
from functools import partial

import pytest

from partreid.errors import UserError
from partreid.experiments import queue
from partreid.experiments.queue import experiment, state
from partreid.storage.files import alone


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
def repository(monkeypatch, request):
    """Experiments are of the commit's code, but for `edited`; nobody waits."""
    if "git" not in request.fixturenames:
        monkeypatch.setattr(queue, "same_code", lambda revision: revision != "edited")
    monkeypatch.setattr(queue, "PAUSE", 0)


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
        assert queue.training(known, wanted) is None  # of older code, whose training said nothing
        known[1]["experiments"][0]["revs"][0]["data"]["metrics"]["runs/mpn-synthetic/training.json"] = {"data": told}
        assert queue.training(known, wanted) == found


@pytest.mark.parametrize(("images", "known"), [("then", "done"), ("other", "new"), (None, "done")])
def test_results_of_other_images_are_not_taken(values, images, known):
    wanted = experiment("x", values, CHANGES).wanted
    assert state(shown(wanted, METRICS, images=images), wanted)[0] == known


def test_names_are_what_git_takes_and_tell_parameters_apart(values):
    name = experiment("mpn-1-Naïve MTL (Eq. 9) [10]-s2", values, CHANGES).identifier
    assert name.startswith("mpn-1-na-ve-mtl-eq-9-10-s2-")
    assert name != experiment("mpn-1-Naïve MTL (Eq. 9) [10]-s2", values, {**CHANGES, "train.seed": 8}).identifier


@pytest.mark.parametrize(("runs", "text"), [([], "-"), ([0.25], "25.0"), ([0.2, 0.3], "25.0 ± 7.1")])
def test_mean_and_sample_standard_deviation(runs, text):
    assert queue.spread(runs) == text


@pytest.fixture
def dvc(monkeypatch, values, tmp_path):
    """What was done, in order; `work` gives the second of two seeds a result."""
    done = []
    known = shown(experiment("done", values, CHANGES).wanted, METRICS)
    result = shown(experiment("", values, {**CHANGES, "train.seed": 8}).wanted, METRICS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.setattr(queue, "show", lambda: list(known))
    monkeypatch.setattr(queue, "committed", lambda: done.append("committed"))
    monkeypatch.setattr(queue, "dvc", lambda *words: done.append(" ".join(words[:5])))
    monkeypatch.setattr(queue, "queue", lambda: ({"another": "Queued"}, False))
    monkeypatch.setattr(queue, "work", lambda _: known.extend(result))
    return done


def two(values):
    return [experiment(f"s{seed}", values, {**CHANGES, "train.seed": seed}) for seed in (7, 8)]


def test_only_what_is_new_is_queued_and_what_has_no_result_is_named(dvc, values, capsys):
    both = two(values)
    complete = partial(queue.complete, title="T", before=lambda: dvc.append("before"))
    assert complete(both, dry=True) is None
    out = capsys.readouterr().out
    assert "T: 2 runs, 1 done, 0 queued, 1 new" in out
    assert out.count("dvc exp run --queue") == 1
    assert "-S train.seed=8 -S methods.mpn.alignment=none evaluate" in out
    assert dvc == []

    assert complete(both) == [METRICS, METRICS]
    assert "the queue holds others too (1)" in capsys.readouterr().out
    assert dvc == ["committed", "before", f"exp run --queue --name {both[1].identifier}"]
    assert complete(both) == [METRICS, METRICS]
    assert len(dvc) == 3

    more = [*both, experiment("s9", values, {**CHANGES, "train.seed": 9})]
    results = complete(more)
    assert results == [METRICS, METRICS, None]
    with pytest.raises(UserError, match="no result of s9: `dvc queue status`"):
        queue.all_there(more, results)


@pytest.mark.usefixtures("dvc")
def test_what_would_be_run_can_be_pasted(values, capsys):
    changes = {**CHANGES, "also_test_on": ["a", "b c"]}
    queue.complete([experiment("x", values, changes)], "T", before=lambda: None, dry=True)
    line = capsys.readouterr().out.splitlines()[1]
    assert shlex.split(line) == ["dvc", *experiment("x", values, changes).command()]
    assert 'also_test_on=["a","b c"]' in shlex.split(line)


@pytest.mark.parametrize("progress", ["success", "failed"])
def test_one_of_the_name_without_metrics_makes_way(dvc, values, monkeypatch, progress):
    (_, new) = two(values)
    monkeypatch.setattr(queue, "work", lambda _: False)
    monkeypatch.setattr(queue, "show", lambda: shown(new.wanted, None, progress, name=new.identifier))
    queue.complete([new], "T", before=lambda: None)
    # what failed is not in git, and dvc would remove another commit's experiment of the name
    removed = [f"exp remove {new.identifier}"] if progress == "success" else []
    assert dvc == ["committed", *removed, f"exp run --queue --name {new.identifier}"]


def test_what_a_dead_worker_left_is_queued_again(dvc, values, monkeypatch):
    calls = []
    monkeypatch.setattr(queue, "work", lambda _: calls.append("work") or len(calls) == 1)
    assert queue.complete(two(values), "T", before=lambda: None) == [METRICS, None]
    assert len(calls) == 2
    assert [each.split()[1] for each in dvc[1:]] == ["run", "run"]


def test_what_kills_every_worker_is_given_up(dvc, values, monkeypatch):
    calls = []
    monkeypatch.setattr(queue, "work", lambda _: calls.append("work") or True)
    assert queue.complete(two(values), "T", before=lambda: None) == [METRICS, None]
    assert len(calls) == queue.ATTEMPTS
    assert [each.split()[0] for each in dvc] == ["committed", *["exp"] * queue.ATTEMPTS]


def test_two_do_not_queue_the_same(dvc, values, tmp_path):
    with alone(tmp_path / "tmp/experiments"), pytest.raises(UserError, match="another run is at work"):
        queue.complete(two(values), "T", before=lambda: None)
    assert dvc == []


# what dvc says


@pytest.fixture
def says(monkeypatch):
    """Have dvc say things, the last of them again and again; returns its arguments."""

    def tell(*answers, key=("queue", "status")):
        asked, rest = [], list(answers)

        def dvc(*words, **_):
            asked.append(" ".join(words))
            return (rest.pop(0) if len(rest) > 1 else rest[0]) if words == key else ""

        monkeypatch.setattr(queue, "dvc", dvc)
        monkeypatch.setattr(queue, "worker_lives", lambda: False)
        return asked

    return tell


def status(workers, **tasks):
    lines = [f"{number:07d}  {name}  10:24 AM  {word}" for number, (name, word) in enumerate(tasks.items())]
    return "\n".join(["Task     Name  Created   Status", *lines, "", f"Worker status: {workers}", "WARNING: x"])


START = "queue start --jobs 1"
EMPTY = "No experiment tasks in the queue.\n\nWorker status: 0 active, 1 idle\n"


@pytest.mark.parametrize("end", [EMPTY, status("0 active, 1 idle", a="Success", b="Failed")])
def test_waiting_ends_with_the_queue(says, capsys, end):
    busy = status("1 active, 0 idle", a="Running", b="Queued", old="Failed")
    asked = says(busy, busy, end)
    assert queue.work(1) is False
    assert asked == [START, *["queue status"] * 3]
    assert capsys.readouterr().out.count("2 to go; a\n") == 1


def test_a_worker_that_was_not_seen_a_few_times_is_let_alone(says):
    busy, unseen = status("1 active, 0 idle", a="Running"), status("0 active, 0 idle", a="Running")
    few = [unseen] * (queue.GONE - 1)
    asked = says(*few, busy, *few, EMPTY)
    assert queue.work(1) is False
    assert set(asked[1:]) == {"queue status"}


def test_a_worker_that_is_there_but_too_busy_to_answer_is_let_alone(says, monkeypatch):
    asked = says(*[status("0 active, 0 idle", a="Running")] * 3 * queue.GONE, EMPTY)
    monkeypatch.setattr(queue, "worker_lives", lambda: True)
    assert queue.work(1) is False
    assert set(asked[1:]) == {"queue status"}


def test_a_worker_is_found_by_its_process_in_its_own_project_alone(tmp_path, monkeypatch):
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        folder.mkdir()
    monkeypatch.chdir(here)
    asleep = [sys.executable, "-c", "input()", "exp", "queue-worker", "dvc-exp-1"]
    for folder, expected in ((there, False), (here, True)):
        with subprocess.Popen(asleep, cwd=folder, stdin=subprocess.PIPE) as worker:
            assert queue.worker_lives() is expected
            worker.communicate(b"\n")
        assert not queue.worker_lives()


def test_another_worker_goes_on_with_the_queue_of_a_dead_one(says):
    asked = says(*[status("0 active, 0 idle", a="Queued")] * queue.GONE, EMPTY)
    assert queue.work(1) is False
    assert [each for each in asked if each != "queue status"] == [START, START]


@pytest.mark.parametrize("workers", ["0 active, 0 idle", "0 active, 1 idle"])
def test_what_no_worker_runs_is_given_up(says, workers):
    left = status(workers, a="Running", b="Queued", c="Running")
    asked = says(*[left] * queue.GONE, EMPTY)
    assert queue.work(1) is True
    assert [each for each in asked if each != "queue status"] == [
        START,
        "queue kill a c",
        START,
    ]


@pytest.mark.parametrize(
    ("jobs", "given", "threads"), [(1, None, None), (2, None, "4"), (20, None, "1"), (2, "3", "3"), (1, "3", "3")]
)
def test_workers_share_the_processors(monkeypatch, jobs, given, threads):
    monkeypatch.setattr(queue.os, "cpu_count", lambda: 8)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if given:
        monkeypatch.setenv("OMP_NUM_THREADS", given)
    asked = []
    monkeypatch.setattr(queue, "dvc", lambda *words, environment: asked.append((words, environment)))
    queue.start(jobs)
    [(words, environment)] = asked
    assert words == ("queue", "start", "--jobs", str(jobs))
    assert environment.get("OMP_NUM_THREADS") == threads
    assert environment["PATH"]


def test_ctrl_c_stops_the_worker(says, monkeypatch):
    asked = says(status("1 active, 0 idle", a="Running"))
    monkeypatch.setattr(queue.time, "sleep", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        queue.work(1)
    assert asked[-2:] == ["queue kill a", "queue stop --kill"]


def test_json_is_found_between_warnings(says):
    content = [{"rev": "workspace", "experiments": [{"a": [1, 2]}]}]
    says(f"WARNING: [x] is old\n{json.dumps(content)}\nWARNING: [{{]\n", key=("exp", "show", "--json"))
    assert queue.show() == content


def test_experiments_of_other_commits_are_asked_for_by_name(says):
    asked = says("[{}]", key=("exp", "show", "--json", "--rev", "HEAD", "--rev", "a" * 40))
    assert queue.show("HEAD", "a" * 40) == [{}]
    assert asked == [f"exp show --json --rev HEAD --rev {'a' * 40}"]


def test_the_commits_that_have_experiments_are_git_s_own_list(tmp_path, monkeypatch):
    def git(*words):
        who = ("-c", "user.name=a", "-c", "user.email=a@b")
        return subprocess.run(["git", *who, *words], cwd=tmp_path, check=True, capture_output=True, text=True).stdout

    monkeypatch.chdir(tmp_path)
    git("init", "-q")
    git("commit", "-q", "--allow-empty", "-m", "one")
    first = git("rev-parse", "HEAD").strip()
    assert queue.commits() == ["HEAD"]
    for name in (f"{first[:2]}/{first[2:]}/calm-dove", f"{first[:2]}/{first[2:]}/wild-ant", "exec/EXEC_HEAD", "stash"):
        git("update-ref", f"refs/exps/{name}", first)
    git("commit", "-q", "--allow-empty", "-m", "two")
    assert queue.commits() == ["HEAD", first]


@pytest.mark.parametrize("words", ["nothing", '[{"rev": '])
def test_no_json_is_told(says, words):
    says(words, key=("exp", "show", "--json"))
    with pytest.raises(UserError, match="gave no JSON"):
        queue.show()


@pytest.fixture
def program(monkeypatch):
    """Have the program dvc end with these status and words, one after the other; returns its command lines."""

    def tell(*answers):
        called, rest = [], list(answers)

        def started(command, **how):
            called.append(command[3:])
            code, words = rest.pop(0)
            if "stdout" in how:
                how["stdout"].write(words)
            return subprocess.CompletedProcess(command, code)

        monkeypatch.setattr(queue.subprocess, "run", started)
        return called

    return tell


LOCKED = (255, "ERROR: Unable to acquire lock. Most likely another DVC process is running")


def test_another_dvc_process_is_waited_for(program):
    called = program(LOCKED, (255, "'a' is busy, see .dvc/tmp/exps/rwlock"), (0, "words"))
    assert queue.dvc("exp", "show") == "words"  # and none of what was said before
    assert called == [["exp", "show"]] * 3


def test_not_for_ever_and_not_after_other_errors(program, monkeypatch):
    monkeypatch.setattr(queue, "LOCKED", 2)
    called = program(LOCKED, LOCKED, LOCKED)
    with pytest.raises(UserError, match=r"`dvc exp run --queue \.\.\.` failed: ERROR: Unable"):
        queue.dvc("exp", "run", "--queue", "evaluate")
    assert len(called) == 3
    called = program((1, "ERROR: no stage"))
    with pytest.raises(UserError, match="no stage"):
        queue.dvc("exp", "run")
    assert len(called) == 1


def test_repro_waits_by_itself_because_its_words_are_not_caught(program):
    called = program((0, ""), (1, ""))
    queue.repro(["a", "b"])
    assert called == [["--wait-for-lock", "repro", "a", "b"]]
    with pytest.raises(UserError, match="repro a` failed"):
        queue.repro(["a"])


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
    [("params.yaml", True), ("data/dvc.lock", True), ("dvc.lock", True), (".dvc/tmp/x", True), ("src/a.py", False)],
)
def test_an_edited_file_makes_another_experiment_but_values_and_locks_do_not(git, tmp_path, file, same):
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
    assert queue.same_code(revision) is same
    assert not queue.same_code("0" * 40)  # one that is gone


def test_on_another_split_the_images_are_others_as_they_should():
    metrics = {"general": {"mAP": 0.5}}
    here, there = ({"dataset": "synthetic", "model": "mpn", "split": split} for split in (0, 1))
    known = shown(there, metrics, images="of split 1")
    known[0]["data"]["params"] = {"params.yaml": {"data": here}}
    assert state(known, there) == ("done", metrics)
    known = shown(here, metrics, images="other")
    known[0]["data"]["params"] = {"params.yaml": {"data": here}}
    assert state(known, here) == ("new", None)
