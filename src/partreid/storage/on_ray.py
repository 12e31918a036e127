"""Pieces made by the machines of a Ray cluster: one task of Ray Core a piece. Wants the extra partreid[ray].

A task that a dying machine takes with it is given to another one by Ray; a piece appears whole or not at all, so making
one twice does no harm. The order in which pieces are made does not matter.
"""

import os
import secrets
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from partreid.errors import UserError, reason
from partreid.program import at_least
from partreid.storage.task import Piece, Task

OPTIONS: dict[str, Callable[[str], Any]] = {"address": str, "cpus": at_least(1), "gpus": at_least(0, float)}
AHEAD = 3  # tasks that wait for every one at work: enough to keep all busy, few enough to hold in memory
RETRIES = 5  # machines that a piece may outlive


def do(task: Task, address: str = "auto", cpus: int = 1, gpus: float = 0) -> None:
    """Make pieces on a Ray cluster. address: HOST:PORT; auto is RAY_ADDRESS, or this machine's.

    cpus, gpus: what a piece asks for. UserError: no cluster, a machine that does not see the shared disk, a piece whose
    machines died too often. What the work itself raises is raised.
    """
    ray = _ray()
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent anywhere
    environment = {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}
    try:
        _answers(address)
        ray.init(address, log_to_driver=False, logging_level="ERROR", runtime_env={"env_vars": environment})
    except (OSError, ValueError, RuntimeError) as error:  # a ConnectionError is an OSError
        raise UserError(
            f"no Ray cluster at {address} ({reason(error)}); start one with `ray start --head` here and `ray start "
            "--address=HOST:PORT` on the others, or name it: --on ray:HOST:PORT"
        ) from error
    try:
        _everybody_sees(ray, task.folder)
        _all(ray, task, cpus, gpus)
    finally:
        ray.shutdown()


def _ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise UserError("--on ray needs Ray; install it with: pip install 'partreid[ray]'") from error
    return ray


def _answers(address: str) -> None:
    """OSError when nobody listens at HOST:PORT, for which Ray would wait for minutes."""
    host, _, port = address.rpartition(":")
    if host and port.isdigit() and "/" not in host:
        socket.create_connection((host, int(port)), timeout=10).close()


def _everybody_sees(ray: Any, folder: Path) -> None:
    """UserError when a machine of the cluster does not see the folder of the pieces, or cannot write there."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    token = folder / f"shared-{secrets.token_hex(8)}"
    token.touch()
    try:
        nodes = [node for node in ray.nodes() if node["Alive"]]
        look = ray.remote(num_cpus=0)(_sees)
        asked = {
            node["NodeManagerAddress"]: look.options(
                scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=True)
            ).remote(token, number)
            for number, node in enumerate(nodes)
        }
        blind = [address for address, answer in asked.items() if not ray.get(answer)]
        if blind:
            raise UserError(
                f"{', '.join(blind)} cannot write where this machine looks for the pieces, {folder}; every machine has "
                "to see the project on a shared disk, under the same path"
            )
    finally:
        for left in folder.glob(f"{token.name}*"):
            left.unlink(missing_ok=True)


def _sees(token: Path, number: int) -> bool:
    try:
        token.with_name(f"{token.name}-{number}").touch()
    except OSError:
        return False
    return token.is_file()


def _all(ray: Any, task: Task, cpus: int, gpus: float) -> None:
    work = ray.put(task.work)  # sent to a machine once, not with every piece
    piece = ray.remote(num_cpus=cpus, num_gpus=gpus, max_retries=RETRIES)(_make)
    here, left = Path.cwd(), list(reversed(task.todo))
    running: dict[Any, int] = {}  # images of each
    while left or running:
        room = AHEAD * max(int(ray.cluster_resources().get("CPU", 1)) // max(cpus, 1), 1)
        while left and len(running) < room:
            one = left.pop()
            running[piece.remote(task.make, work, one, here, cpus)] = one[2]
        done, _ = ray.wait(list(running), num_returns=1, timeout=10)
        for each in done:
            try:
                ray.get(each)
            except ray.exceptions.RayTaskError as error:  # the work itself failed
                raise error.cause from None
            except ray.exceptions.RayError as error:
                raise UserError(
                    f"a piece was given up ({reason(error)}); run the same command again to go on"
                ) from error
            task.tell(running.pop(each))


def _make(make: Callable[..., None], work: Any, one: Piece, here: Path, threads: int) -> None:
    os.chdir(here)  # the work's paths are relative to the project
    with threadpool_limits(threads):
        make(work, [one], 1)
