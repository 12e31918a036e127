"""DVC as a program: what it says, and its queue's workers."""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from partreid.errors import UserError
from partreid.training import cards

PAUSE = 10  # seconds between two looks at the queue
GONE = 12  # looks in a row without a worker at work that show it has died: a new one takes its time to be there
LOCKED = 30  # how many times another DVC process may be waited for
AT_WORK = ("Unable to acquire lock", ".dvc/tmp/exps/")  # what DVC says when another of its processes is at work


def output(*arguments: str, environment: Mapping[str, str] | None = None) -> str:
    """Run dvc and return what it says; its failure is a UserError, unless a worker is in its way: then try again."""
    with tempfile.TemporaryFile("w+") as said:
        for patience in range(LOCKED, -1, -1):
            said.truncate(said.seek(0))
            # files, not pipes: the worker that dvc starts inherits them, and a pipe would be read until that ends
            done = subprocess.run(
                [sys.executable, "-m", "dvc", *arguments], check=False, stdout=said, stderr=said, env=environment
            )
            said.seek(0)
            words = said.read()
            if not done.returncode:
                return words
            if not patience or not any(reason in words for reason in AT_WORK):
                raise UserError(f"`dvc {' '.join(arguments[:3])} ...` failed: {words.strip()[-1000:]}")
            time.sleep(PAUSE)
    raise AssertionError  # the loop has returned or raised


def repro(targets: Iterable[str]) -> None:
    """`dvc repro` of stages, which say what they do; when another DVC process is at work, after it."""
    command = ["--wait-for-lock", "repro", *targets]
    if subprocess.run([sys.executable, "-m", "dvc", *command], check=False).returncode:
        raise UserError(f"`dvc {' '.join(command)}` failed")


def work(jobs: int) -> bool:
    """Have DVC's workers, `jobs` of them, do all that is queued, and wait. Ctrl-C stops them and what they run.

    Returns whether a worker died at something. DVC says for ever that it is running, so it is made to count as failed.
    """
    shown, missed, lost = "", 0, False
    start(jobs)
    try:
        while (looked := unfinished())[0]:
            left, at_work = looked
            running = [name for name, status in left.items() if status == "Running"]
            if (now := f"{len(left)} to go; {', '.join(running) or 'between two'}") != shown:
                print(f"{time.strftime('%H:%M:%S')}  {now}", flush=True)
                shown = now
            missed = 0 if at_work else missed + 1
            if missed == GONE:
                if running:
                    output("queue", "kill", *running)
                    lost = True
                start(jobs)  # not earlier: a second worker beside a living one would train the same
                missed = 0
            time.sleep(PAUSE)
    except KeyboardInterrupt:
        print("stopping the runs and their workers; half a minute on a busy machine", file=sys.stderr, flush=True)
        if running := [name for name, status in unfinished()[0].items() if status == "Running"]:
            output("queue", "kill", *running)  # and what they run, which stopping the worker would leave at work
        output("queue", "stop", "--kill")
        raise
    return lost


def start(jobs: int) -> None:
    """Start DVC's workers."""
    output("queue", "start", "--jobs", str(jobs), environment=shared(jobs))


def shared(jobs: int) -> dict[str, str]:
    """The environment of each of several runs that share out processors and GPUs: each would otherwise take all."""
    own = {"OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // jobs)), cards.VARIABLE: str(jobs)}
    return (own if jobs > 1 else {}) | os.environ


def unfinished() -> tuple[dict[str, str], bool]:
    """The names of what is "Queued" or "Running", and whether a worker is at work on any of it."""
    words = output("queue", "status")
    tasks = [line.split() for line in words.splitlines() if line.strip()]
    left = {task[1]: task[-1] for task in tasks if task[-1] in ("Queued", "Running")}
    if "Worker status: 0 active, 0 idle" in words:  # none is there, or none answers: a busy one may not for minutes
        return left, worker_lives()
    return left, "Worker status: 0 active" not in words


def worker_lives() -> bool:
    """Whether there is a process of one of this project's workers."""
    import psutil  # type: ignore[import-untyped]  # DVC brings it, and not all that imports this file has DVC

    return any(
        "queue-worker" in (process.info["cmdline"] or ())
        and process.info["cwd"] == str(Path.cwd())
        and process.info["status"] != psutil.STATUS_ZOMBIE
        for process in psutil.process_iter(["cmdline", "cwd", "status"])  # None of what another user's process hides
    )


def show(*commits: str) -> list[dict[str, Any]]:
    """What `dvc exp show` knows of experiments, after the working tree: this commit's, or the named commits'."""
    words = output("exp", "show", "--json", *(each for commit in commits for each in ("--rev", commit)))
    try:
        return json.JSONDecoder().raw_decode(words, words.index("[{"))[0]  # between warnings
    except ValueError as error:
        raise UserError(f"`dvc exp show --json` gave no JSON: {words.strip()[-1000:]}") from error


def commits() -> list[str]:
    """The commits that have experiments, this one first, by git's own list of them: DVC's takes seconds for each."""
    listed = subprocess.run(
        ["git", "for-each-ref", "--format=%(refname)", "refs/exps"], check=False, capture_output=True, text=True
    ).stdout
    found = re.findall(r"^refs/exps/([0-9a-f]{2})/([0-9a-f]{38})/", listed, re.MULTILINE)
    return list(dict.fromkeys(["HEAD", *("".join(halves) for halves in found)]))
