"""Pieces made by jobs of a Slurm cluster, through submitit. Wants the extra partreid[slurm].

Every job takes an equal share of the open pieces. Jobs that die (a machine is lost, the time is up, the memory too
small) are followed by others that take what is left, as long as that gets on. `cluster=local` starts the jobs as
processes of this machine: a rehearsal, without Slurm.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from partreid.errors import UserError, reason
from partreid.program import at_least
from partreid.storage.task import Piece, Task

OPTIONS: dict[str, Callable[[str], Any]] = {
    "partition": str, "jobs": at_least(1), "cpus": at_least(1), "gpus": at_least(0), "memory": at_least(1),
    "minutes": at_least(1), "account": str, "qos": str, "constraint": str, "cluster": str,
}  # fmt: skip
LOOK = 2.0  # seconds between looks at the folder
SLOW = 60.0  # seconds that a network disk may hide a file that another machine has written


def do(
    task: Task,
    jobs: int = 16,
    cpus: int = 1,
    gpus: int = 0,
    memory: int = 4,
    minutes: int = 240,
    cluster: str = "slurm",
    **slurm: str,
) -> None:
    """Make the pieces of a task by jobs.

    jobs: at most so many. cpus: of a job, with a process for each; gpus: of a job; memory: GiB of a job. minutes: its
    longest time. cluster: slurm, or local. slurm: partition, account, qos, constraint, as sbatch knows them.
    UserError: no Slurm, no shared disk, jobs that die without finishing anything. What the work raises is raised.
    """
    submitit = _submitit()
    folder = task.folder / "jobs"
    try:
        executor = submitit.AutoExecutor(folder=folder, cluster=cluster)
    except RuntimeError as error:
        raise UserError(f"no Slurm here ({reason(error)}); --on slurm needs sbatch on the PATH") from error
    executor.update_parameters(
        name="partreid", cpus_per_task=cpus, gpus_per_node=gpus, mem_gb=memory, timeout_min=minutes,
        **({f"slurm_{key}": value for key, value in slurm.items()} if cluster == "slurm" else {}),
    )  # fmt: skip
    left, told = list(task.todo), 0
    while left:
        before = len(left)
        shares = [left[number::jobs] for number in range(min(jobs, before))]
        with executor.batch():
            running = [executor.submit(_share, task.make, task.work, each, Path.cwd(), cpus) for each in shares]
        try:
            while not all(job.done() for job in running):
                _raised(running, submitit)
                told = _told(task, told)
                time.sleep(LOOK)
            last = _raised(running, submitit)
        finally:
            for job in running:
                if not job.done():
                    job.cancel()
        left = _still_open(left, patient=not last)
        told = _told(task, told)
        if last and len(left) == before:
            raise UserError(
                f"no job of {before} pieces finished any: {last}; is the project on a disk that every machine sees "
                f"under the same path, and do memory and time suffice? The jobs' logs are in {folder}; run the same "
                "command again to go on"
            )


def _submitit() -> Any:
    try:
        import submitit
    except ImportError as error:
        raise UserError("--on slurm needs submitit; install it with: pip install 'partreid[slurm]'") from error
    return submitit


def _raised(jobs: list[Any], submitit: Any) -> str:
    """Raise what the work of a finished job raised; else what the last job that died said, "" when none did."""
    died = ""
    for job in jobs:
        if not job.done():
            continue
        try:
            if refused := job.result():
                raise UserError(refused)
        except submitit.core.utils.FailedJobError as error:
            raise UserError(f"a job failed; its last words:\n{_last_words(error)}") from error
        except submitit.core.utils.UncompletedJobError as error:
            died = reason(error)[-300:]
    return died


def _last_words(error: Exception) -> str:
    """The last line of the traceback that submitit quotes between two lines of dashes, and where the logs are."""
    _, _, quoted = str(error).partition("---")
    trace, _, logs = quoted.strip("-\n").partition("\n---")
    return trace.strip().splitlines()[-1] + logs.strip("-").replace("\n", " ")


def _told(task: Task, told: int) -> int:
    """Tell how many images are finished beyond those told; the new number."""
    there = {entry.name for entry in os.scandir(task.folder)}
    done = sum(images for path, _, images in task.todo if path.name in there)
    task.tell(done - told)
    return done


def _still_open(todo: list[Piece], patient: bool) -> list[Piece]:
    """The pieces that are not there. patient: they were written, so wait for a slow network disk to show them."""
    deadline = time.monotonic() + (SLOW if patient else 0)
    while True:
        missing = [one for one in todo if not one[0].is_file()]
        if not missing or time.monotonic() >= deadline:
            return missing
        time.sleep(LOOK)


def _share(make: Callable[..., None], work: Any, todo: list[Piece], here: Path, processes: int) -> str:
    """Make some pieces; what the work says of bad input, else nothing."""
    os.chdir(here)  # the work's paths are relative to the project
    try:
        make(work, [one for one in todo if not one[0].is_file()], processes)
    except UserError as error:
        return str(error)
    return ""
