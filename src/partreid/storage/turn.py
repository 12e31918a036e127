"""One run a checkout: a second `dvc` beside one at work would change the params.yaml that the first still reads.

DVC itself frees its lock while a stage's command runs. So the first stage of a run notes which `dvc` process it belongs
to, and what params.yaml held; the note stands as long as that process lives. Queued runs and `dvc exp run --temp` have
folders of their own, and DVC_ROOT tells them apart. Processes of another machine on the same disk are not seen.
"""

import fcntl
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from partreid.errors import UserError
from partreid.storage.files import write_json, write_text

NOTE = Path("tmp/running.json")
COPY = "running-{}.yaml"  # beside the note, for each run's process: params.yaml as it began, also when it has ended
KEPT = 9  # of those copies
SHELLS = {"sh", "ash", "bash", "dash", "fish", "ksh", "zsh"}
KNOWN = "PARTREID_IN_TURN"  # set for the processes that a stage starts: they belong to it


def taken(values: Mapping[str, Any], file: Path = Path("params.yaml")) -> None:
    """Take the checkout for the `dvc` that started this stage; nothing where no `dvc` did, or a folder is its own.

    values: what `file` holds. UserError while another `dvc` is at work here, and when the values have been changed
    since this one's first stage.
    """
    root = os.environ.get("DVC_ROOT")
    if "DVC_STAGE" not in os.environ or root is None or Path(root).resolve() != Path.cwd() or KNOWN in os.environ:
        return
    own = _starter()
    if own is None:
        return
    NOTE.parent.mkdir(exist_ok=True)
    with NOTE.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # for a moment: of two first stages one is the first
        note = _read()
        now = json.loads(json.dumps(values, default=str), parse_constant=str)  # NaN is no JSON, and not itself
        if note is None or not _lives(note["pid"], note["started"]):
            copies = sorted(NOTE.parent.glob(COPY.format("*")), key=lambda path: path.stat().st_mtime)
            for old in copies[: 1 - KEPT]:
                old.unlink()
            write_text(NOTE.with_name(COPY.format(own[0])), file.read_text(encoding="utf-8"))
            note = {"pid": own[0], "started": own[1], "since": time.strftime("%Y-%m-%d %H:%M:%S"), "values": now}
            write_json(NOTE, note)
    os.environ[KNOWN] = "1"
    changed = note["values"] != now
    copy = NOTE.with_name(COPY.format(note["pid"]))
    back = f"; {file} was changed meanwhile: `cp {copy} {file}` gives back what that run began with" if changed else ""
    run = f"pid {note['pid']}, since {note['since']}"
    if [note["pid"], note["started"]] != [*own]:
        raise UserError(
            f"another run is at work in this checkout ({run}): one run a checkout; for several use the queue, "
            f"docs/experiments.md{back}"
        )
    if changed:
        raise UserError(
            f"{file} was changed while this run ({run}) was at work, and its results would mix both. `cp {copy} "
            f"{file}` gives back what it began with; then run the same command again, with "
            "these or those values: what is finished is not done again"
        )


def _read() -> dict[str, Any] | None:
    try:
        note = json.loads(NOTE.read_text(encoding="utf-8"))
        return note if note.keys() >= {"pid", "started", "since", "values"} else None
    except (FileNotFoundError, ValueError, AttributeError):
        return None  # none, or an unreadable one, which no run can have written


def _starter() -> tuple[int, float] | None:
    """The process that started this stage, a shell between them passed over: its number, and when it began."""
    import psutil  # type: ignore[import-untyped]  # DVC brings it

    try:
        above = psutil.Process(os.getppid())
        while above.name() in SHELLS:
            above = psutil.Process(above.ppid())
        return above.pid, above.create_time()
    except psutil.Error:
        return None  # it has ended, or lies outside this container


def _lives(pid: int, started: float) -> bool:
    import psutil

    try:
        process = psutil.Process(pid)
        return bool(process.create_time() == started and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False
