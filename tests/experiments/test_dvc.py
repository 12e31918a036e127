"""What is made of what DVC and git say, and how DVC's workers are waited for."""

import json
import subprocess
import sys

import pytest

from partreid.errors import UserError
from partreid.experiments import dvc


@pytest.fixture(autouse=True)
def nobody_waits(monkeypatch):
    monkeypatch.setattr(dvc, "PAUSE", 0)


@pytest.fixture
def says(monkeypatch):
    """Have dvc say things, the last of them again and again; returns its arguments."""

    def tell(*answers, key=("queue", "status")):
        asked, rest = [], list(answers)

        def output(*words, **_):
            asked.append(" ".join(words))
            return (rest.pop(0) if len(rest) > 1 else rest[0]) if words == key else ""

        monkeypatch.setattr(dvc, "output", output)
        monkeypatch.setattr(dvc, "worker_lives", lambda: False)
        return asked

    return tell


def status(workers, **tasks):
    lines = [f"{number:07d}  {name}  10:24 AM  {word}" for number, (name, word) in enumerate(tasks.items())]
    return "\n".join(["Task     Name  Created   Status", *lines, "", f"Worker status: {workers}", "WARNING: x"])


START = "queue start --jobs 1"
EMPTY = "No experiment tasks in the dvc.\n\nWorker status: 0 active, 1 idle\n"


@pytest.mark.parametrize("end", [EMPTY, status("0 active, 1 idle", a="Success", b="Failed")])
def test_waiting_ends_with_the_queue(says, capsys, end):
    busy = status("1 active, 0 idle", a="Running", b="Queued", old="Failed")
    asked = says(busy, busy, end)
    assert dvc.work(1) is False
    assert asked == [START, *["queue status"] * 3]
    assert capsys.readouterr().out.count("2 to go; a\n") == 1


def test_a_worker_that_was_not_seen_a_few_times_is_let_alone(says):
    busy, unseen = status("1 active, 0 idle", a="Running"), status("0 active, 0 idle", a="Running")
    few = [unseen] * (dvc.GONE - 1)
    asked = says(*few, busy, *few, EMPTY)
    assert dvc.work(1) is False
    assert set(asked[1:]) == {"queue status"}


def test_a_worker_that_is_there_but_too_busy_to_answer_is_let_alone(says, monkeypatch):
    asked = says(*[status("0 active, 0 idle", a="Running")] * 3 * dvc.GONE, EMPTY)
    monkeypatch.setattr(dvc, "worker_lives", lambda: True)
    assert dvc.work(1) is False
    assert set(asked[1:]) == {"queue status"}


def test_a_worker_is_found_by_its_process_in_its_own_project_alone(tmp_path, monkeypatch):
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        folder.mkdir()
    monkeypatch.chdir(here)
    asleep = [sys.executable, "-c", "input()", "exp", "queue-worker", "dvc-exp-1"]
    for folder, expected in ((there, False), (here, True)):
        with subprocess.Popen(asleep, cwd=folder, stdin=subprocess.PIPE) as worker:
            assert dvc.worker_lives() is expected
            worker.communicate(b"\n")
        assert not dvc.worker_lives()


def test_another_worker_goes_on_with_the_queue_of_a_dead_one(says):
    asked = says(*[status("0 active, 0 idle", a="Queued")] * dvc.GONE, EMPTY)
    assert dvc.work(1) is False
    assert [each for each in asked if each != "queue status"] == [START, START]


@pytest.mark.parametrize("workers", ["0 active, 0 idle", "0 active, 1 idle"])
def test_what_no_worker_runs_is_given_up(says, workers):
    left = status(workers, a="Running", b="Queued", c="Running")
    asked = says(*[left] * dvc.GONE, EMPTY)
    assert dvc.work(1) is True
    assert [each for each in asked if each != "queue status"] == [
        START,
        "queue kill a c",
        START,
    ]


@pytest.mark.parametrize(
    ("jobs", "given", "threads"), [(1, None, None), (2, None, "4"), (20, None, "1"), (2, "3", "3"), (1, "3", "3")]
)
def test_workers_share_the_processors(monkeypatch, jobs, given, threads):
    monkeypatch.setattr(dvc.os, "cpu_count", lambda: 8)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if given:
        monkeypatch.setenv("OMP_NUM_THREADS", given)
    asked = []
    monkeypatch.setattr(dvc, "output", lambda *words, environment: asked.append((words, environment)))
    dvc.start(jobs)
    [(words, environment)] = asked
    assert words == ("queue", "start", "--jobs", str(jobs))
    assert environment.get("OMP_NUM_THREADS") == threads
    assert environment["PATH"]


def test_ctrl_c_stops_the_worker(says, monkeypatch):
    asked = says(status("1 active, 0 idle", a="Running"))
    monkeypatch.setattr(dvc.time, "sleep", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        dvc.work(1)
    assert asked[-2:] == ["queue kill a", "queue stop --kill"]


def test_json_is_found_between_warnings(says):
    content = [{"rev": "workspace", "experiments": [{"a": [1, 2]}]}]
    says(f"WARNING: [x] is old\n{json.dumps(content)}\nWARNING: [{{]\n", key=("exp", "show", "--json"))
    assert dvc.show() == content


def test_experiments_of_other_commits_are_asked_for_by_name(says):
    asked = says("[{}]", key=("exp", "show", "--json", "--rev", "HEAD", "--rev", "a" * 40))
    assert dvc.show("HEAD", "a" * 40) == [{}]
    assert asked == [f"exp show --json --rev HEAD --rev {'a' * 40}"]


def test_the_commits_that_have_experiments_are_git_s_own_list(tmp_path, monkeypatch):
    def git(*words):
        who = ("-c", "user.name=a", "-c", "user.email=a@b")
        return subprocess.run(["git", *who, *words], cwd=tmp_path, check=True, capture_output=True, text=True).stdout

    monkeypatch.chdir(tmp_path)
    git("init", "-q")
    git("commit", "-q", "--allow-empty", "-m", "one")
    first = git("rev-parse", "HEAD").strip()
    assert dvc.commits() == ["HEAD"]
    for name in (f"{first[:2]}/{first[2:]}/calm-dove", f"{first[:2]}/{first[2:]}/wild-ant", "exec/EXEC_HEAD", "stash"):
        git("update-ref", f"refs/exps/{name}", first)
    git("commit", "-q", "--allow-empty", "-m", "two")
    assert dvc.commits() == ["HEAD", first]


@pytest.mark.parametrize("words", ["nothing", '[{"rev": '])
def test_no_json_is_told(says, words):
    says(words, key=("exp", "show", "--json"))
    with pytest.raises(UserError, match="gave no JSON"):
        dvc.show()


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

        monkeypatch.setattr(dvc.subprocess, "run", started)
        return called

    return tell


LOCKED = (255, "ERROR: Unable to acquire lock. Most likely another DVC process is running")


def test_another_dvc_process_is_waited_for(program):
    called = program(LOCKED, (255, "'a' is busy, see .dvc/tmp/exps/rwlock"), (0, "words"))
    assert dvc.output("exp", "show") == "words"  # and none of what was said before
    assert called == [["exp", "show"]] * 3


def test_not_for_ever_and_not_after_other_errors(program, monkeypatch):
    monkeypatch.setattr(dvc, "LOCKED", 2)
    called = program(LOCKED, LOCKED, LOCKED)
    with pytest.raises(UserError, match=r"`dvc exp run --queue \.\.\.` failed: ERROR: Unable"):
        dvc.output("exp", "run", "--queue", "evaluate")
    assert len(called) == 3
    called = program((1, "ERROR: no stage"))
    with pytest.raises(UserError, match="no stage"):
        dvc.output("exp", "run")
    assert len(called) == 1


def test_repro_waits_by_itself_because_its_words_are_not_caught(program):
    called = program((0, ""), (1, ""))
    dvc.repro(["a", "b"])
    assert called == [["--wait-for-lock", "repro", "a", "b"]]
    with pytest.raises(UserError, match="repro a` failed"):
        dvc.repro(["a"])
