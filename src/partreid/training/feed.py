"""Batches made ready ahead of the network: by a thread of this process, and on CUDA beside the network's own work."""

from collections.abc import Generator, Iterable, Iterator
from dataclasses import fields

import torch
from torch import Tensor

from partreid.inputs.ahead import ahead
from partreid.inputs.batch import Batch
from partreid.training.data import Parcel, assembled, mapped


def feed(
    parcels: Iterable[Parcel], device: torch.device, clean: bool, fill: str = "mean"
) -> Generator[Batch, None, None]:
    """The parcels' batches on the device, in order, each ready when it is given out. clean, fill: see data.assembled.

    Close it (contextlib.closing) to end its thread before the parcels end.
    """
    if device.type != "cuda":
        # on the CPU the network takes the core that a thread would want: parcels are gathered ahead, not more
        for parcel in ahead(parcels):
            yield assembled(mapped(parcel, lambda tensor: tensor.to(device)), clean, fill)
        return
    for batch, ready in ahead(_copied(parcels, device, clean, fill)):
        stream = torch.cuda.current_stream(device)
        stream.wait_event(ready)
        for tensor in tensors_of(batch):
            tensor.record_stream(stream)  # its memory is the side stream's, but in use here
        yield batch


def _copied(
    parcels: Iterable[Parcel], device: torch.device, clean: bool, fill: str
) -> Iterator[tuple[Batch, torch.cuda.Event]]:
    """Batches made on a stream of their own, each with the event after which it is there."""
    stream = torch.cuda.Stream(device)
    for parcel in parcels:
        with torch.cuda.stream(stream):
            batch = assembled(mapped(parcel, lambda tensor: tensor.to(device, non_blocking=True)), clean, fill)
            ready = torch.cuda.Event()
            ready.record(stream)
        yield batch, ready


def tensors_of(batch: Batch) -> Iterator[Tensor]:
    """All tensors of a batch, in an order that depends on its kind alone."""
    for member in fields(batch):
        value = getattr(batch, member.name)
        yield from [value[name] for name in sorted(value)] if isinstance(value, dict) else [value]
