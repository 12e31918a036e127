"""Calls in several processes of this machine that end at once when they are told to."""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import resource_tracker
from typing import Any

from partreid.errors import UserError


def spread(
    work: Callable[..., Any],
    jobs: Sequence[tuple[Any, ...]],
    processes: int,
    tell: Callable[[int, Any], object],
    killed: str,
    start: Callable[..., object] | None = None,
    given: tuple[Any, ...] = (),
) -> None:
    """Call work(*job) for every job; tell(number of the job, result) is called here as they finish, in any order.

    start(*given) is called first in every process. When a call fails, those under way are finished, the rest is left
    out, and its error is raised; at Ctrl-C the processes are killed, and they end when this one is. UserError `killed`
    when somebody killed one of them.
    """
    # spawned, not forked: a fork would copy the locks of the parent's threads (OpenCV, progress bar)
    context = multiprocessing.get_context("spawn")
    before = set(multiprocessing.active_children())
    _quiet_tracker()  # before anything else starts it; that would also unblock the signal that _deaf_children blocks
    with ProcessPoolExecutor(min(processes, len(jobs)), context, _begin, (start, *given)) as pool:
        try:
            with _deaf_children():
                waiting = {pool.submit(work, *job): number for number, job in enumerate(jobs)}
            for done in as_completed(waiting):
                tell(waiting[done], done.result())
        except BrokenProcessPool as error:
            raise UserError(killed) from error
        except KeyboardInterrupt:
            for child in set(multiprocessing.active_children()) - before:
                child.kill()
            raise
        finally:
            pool.shutdown(cancel_futures=True)


def _begin(start: Callable[..., object] | None, *given: Any) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if start is not None:
        start(*given)


def _end_with_parent() -> None:
    # a parent killed with SIGKILL cannot tell its workers, which would wait for ever
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _quiet_tracker() -> None:
    """Start the process that tidies up semaphores when we are killed, and make it do so without a warning."""
    sys.warnoptions.append("ignore:resource_tracker")  # it inherits them
    try:
        resource_tracker.ensure_running()
    finally:
        sys.warnoptions.pop()


@contextmanager
def _deaf_children() -> Iterator[None]:
    """Processes started here never hear Ctrl-C, which a terminal sends to all, so that one line is said, by the parent.

    Even while they import: a blocked signal stays blocked in the processes that one starts. Here it waits.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # signals reach the main thread
        return
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
