"""Several processes for one training, one a GPU: torchrun's own launcher, joined by DistributedDataParallel.

A stage that is to train with N processes starts its own command N times and waits (`launched`); each process finds
itself under torchrun and trains (`joined`). Started by hand under torchrun, as on several machines, it trains at once.
What is shared out, and why the result is that of one process, is in partreid.layers.shares. Every process reads the
same pixels, draws the same batches and changes; process 0 alone locks, writes and prints.
"""

import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.nn.parallel import DistributedDataParallel

from partreid.errors import UserError
from partreid.inputs.batch import Batch
from partreid.layers import shares
from partreid.methods.base import Learner
from partreid.training.cards import jobs


def inside() -> bool:
    """Whether this is one of several processes that torchrun started."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1 and "RANK" in os.environ


def wanted(processes: str | int, device: torch.device) -> int:
    """How many processes `train.processes` means on a device.

    auto is one for each visible GPU, and one on the CPU, and one where several jobs have a GPU each (training.cards).
    """
    cards = torch.cuda.device_count() if device.type == "cuda" else 0
    if processes == "auto":
        return max(cards, 1) if jobs() == 1 else 1
    if not isinstance(processes, int) or processes < 1:
        raise UserError(f"train.processes is auto or a number from 1 on, found {processes!r}")
    if device.type == "cuda" and processes > cards:
        raise UserError(f"train.processes is {processes}, but torch sees {cards} GPUs; use auto or at most {cards}")
    return processes


def launched(processes: int) -> None:
    """Run this program's command in so many processes and wait. Exit 1 when one fails, which has said why."""
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)  # a failing process speaks for itself
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # a network all of whose parameters are used is no news
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // processes)))
    config = LaunchConfig(
        min_nodes=1, max_nodes=1, nproc_per_node=processes, rdzv_backend="c10d", rdzv_endpoint="localhost:0",
        max_restarts=0, run_id="partreid",
    )  # fmt: skip
    try:
        elastic_launch(config, sys.executable)(*sys.argv)
    except ChildFailedError as error:
        sys.exit(1 if error.failures else 0)


@contextmanager
def joined(device: torch.device) -> Iterator[torch.device]:
    """Be one of the processes, if there are several: yields the device of this one. Only process 0 prints."""
    if not inside():
        yield device
        return
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    warnings.filterwarnings(
        "ignore", "Grad strides do not match bucket view strides"
    )  # channels_last, known and harmless
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        with Path(os.devnull).open("w") as nowhere, redirect_stdout(sys.stdout if shares.number() == 0 else nowhere):
            yield device
    finally:
        dist.destroy_process_group()


class _Losses(nn.Module):
    """A learner's losses as a forward pass, which DistributedDataParallel wraps."""

    def __init__(self, learner: Learner):
        super().__init__()
        self.learner = learner

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        with shares.sharing():
            return self.learner.losses(batch)


def losses_of(learner: Learner) -> Callable[[Batch], dict[str, Tensor]]:
    """The learner's losses; among several processes such that backward gives every gradient of the whole batch."""
    if shares.count() == 1:
        return learner.losses
    shares.synchronised(learner)
    # parameters that no loss reaches differ from step to step; the batch norms' statistics are alike everywhere
    return DistributedDataParallel(_Losses(learner), find_unused_parameters=True, forward_sync_buffers=False)
