"""A batch shared out among the processes of a training: each runs the backbones on its share, all see all of the rest.

Within `sharing()`, `everywhere(network, x)` gives every process network(x) for the whole batch, though each computes
its own rows only: the rows are cut (_Cut), the results joined (_Joined), and the network's batch norms take mean and
variance of the whole batch (synchronised). What follows, heads, batch-norm necks, distances, mining, losses, every
process computes for the whole batch, so no method has to know of others.

Gradients: what all compute alike has the same gradient everywhere, the true one. In what is shared out a process has
its rows' part of the sum, times the number of processes: on the way back _Joined multiplies and _Cut divides. So the
mean over the processes (DistributedDataParallel's) is the true gradient of every parameter.

Without processes, or outside `sharing()`, all of this does nothing.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

T = TypeVar("T", Tensor, list[Tensor])
_sharing = False  # whether a step of the training is under way
_cut = False  # whether a network sees its own rows alone


def count() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def number() -> int:
    """Which of them this is; 0 writes, prints and locks."""
    return dist.get_rank() if count() > 1 else 0


@contextmanager
def sharing() -> Iterator[None]:
    """Batches are shared out within."""
    global _sharing
    before, _sharing = _sharing, count() > 1
    try:
        yield
    finally:
        _sharing = before


@contextmanager
def _on_own_rows() -> Iterator[None]:
    global _cut
    _cut = True
    try:
        yield
    finally:
        _cut = False


def everywhere(network: Callable[[Tensor], T], x: Tensor) -> T:
    """network(x), a tensor or a list of them with the rows of x (B, ...), on every process."""
    if not _sharing or _cut:
        return network(x)
    sizes = [len(each) for each in torch.empty(len(x), device="meta").tensor_split(count())]
    with _on_own_rows(), _own_chance(network, x.device):
        found = network(_Cut.apply(x, sizes))
    if isinstance(found, Tensor):
        return _Joined.apply(found, sizes)
    return [_Joined.apply(each, sizes) for each in found]


def averaged(x: Tensor) -> Tensor:
    """The mean over the processes of a tensor that all have, as that of a gradient."""
    if count() == 1:
        return x
    total = x.contiguous().clone()
    dist.all_reduce(total)
    return total / count()


def from_first(make: Callable[[], Tensor], device: torch.device) -> Tensor:
    """What process 0 makes, on every process; uint8 (.., .., ..), on `device`."""
    if count() == 1:
        return make()
    made = make().contiguous() if number() == 0 else None
    shape = torch.tensor(made.shape if made is not None else (0, 0, 0), device=device)
    dist.broadcast(shape, 0)
    result = made if made is not None else torch.empty(*shape.tolist(), dtype=torch.uint8, device=device)
    dist.broadcast(result, 0)
    return result


def _rows(sizes: list[int]) -> slice:
    start = sum(sizes[: number()])
    return slice(start, start + sizes[number()])


def _joined(own: Tensor, sizes: list[int]) -> Tensor:
    """Everybody's rows, one process after another; shares may differ by a row, which is padded for the way."""
    last = own.dim() == 4 and own.is_contiguous(memory_format=torch.channels_last)
    rows = own.permute(0, 2, 3, 1) if last else own.contiguous()
    most = max(sizes)
    if len(rows) < most:
        rows = torch.cat([rows, rows.new_zeros(most - len(rows), *rows.shape[1:])])
    parts = [torch.empty_like(rows) for _ in sizes]
    dist.all_gather(parts, rows)
    whole = torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])
    return whole.permute(0, 3, 1, 2) if last else whole


class _Cut(torch.autograd.Function):
    """The rows of this process."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, sizes: list[int]) -> Tensor:
        ctx.sizes = sizes
        return x[_rows(sizes)]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return _joined(gradient, ctx.sizes) / count(), None


class _Joined(torch.autograd.Function):
    """The rows of all processes."""

    @staticmethod
    def forward(ctx: Any, own: Tensor, sizes: list[int]) -> Tensor:
        ctx.sizes = sizes
        return _joined(own, sizes)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient[_rows(ctx.sizes)] * count(), None


@contextmanager
def _own_chance(network: Any, device: torch.device) -> Iterator[None]:
    """Dropout in a network draws for each process's rows apart, and leaves the generator alike on all."""
    modules = getattr(network, "__self__", network)
    drops = isinstance(modules, nn.Module) and any(
        isinstance(each, _DropoutNd) and each.training and each.p for each in modules.modules()
    )
    if not drops:
        yield
        return
    seed = int(torch.randint(2**31, ()))  # alike on all
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed + number())
        yield


# batch norm of the whole batch


def synchronised(module: nn.Module) -> nn.Module:
    """Give every batch norm below `module` the whole batch's mean and variance wherever it sees a share; in place.

    Each keeps its class's own forward (some end in an activation): a subclass of it takes its place.
    """
    for each in module.modules():
        if isinstance(each, _BatchNorm) and not isinstance(each, _Shared):
            each.__class__ = _shared_kind(type(each))
    return module


_kinds: dict[type, type] = {}


def _shared_kind(kind: type) -> type:
    """A subclass whose `super().forward`, as every ancestor's below torch's own, ends in _Shared's."""
    if kind not in _kinds:
        torch_own = next(each for each in kind.__mro__ if each.__module__ == "torch.nn.modules.batchnorm")
        base = type(f"Shared{torch_own.__name__}", (_Shared, torch_own), {})
        _kinds[kind] = base if kind is torch_own else type(f"Shared{kind.__name__}", (kind, base), {})
    return _kinds[kind]


class _Shared(_BatchNorm):
    """A batch norm that, in training and on a share, normalises by the whole batch."""

    def forward(self, x: Tensor) -> Tensor:
        if not (_cut and self.training):
            return super().forward(x)
        factor = self.momentum or 0.0
        if self.track_running_stats and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            if self.momentum is None:
                factor = 1.0 / float(self.num_batches_tracked)
        if x.is_cuda:  # torch's own, which knows CUDA alone
            from torch.nn.modules._functions import SyncBatchNorm

            return SyncBatchNorm.apply(
                x, self.weight, self.bias, self.running_mean, self.running_var, self.eps, factor,
                dist.group.WORLD, count(),
            )  # fmt: skip
        y, mean, variance, entries = _Norm.apply(x, self.weight, self.bias, self.eps)
        if self.running_mean is not None and self.running_var is not None:
            with torch.no_grad():
                unbiased = variance * entries / (entries - 1).clamp(min=1)
                self.running_mean.lerp_(mean, factor)
                self.running_var.lerp_(unbiased, factor)
        return y


class _Norm(torch.autograd.Function):
    """Batch norm over all processes' rows; also their mean and (biased) variance (C,) and number of entries, ()."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        axes = [0, *range(2, x.dim())]
        own_variance, own_mean = torch.var_mean(_wide(x), axes, correction=0)
        own_entries = own_mean.new_full((1,), x.numel() / x.shape[1])
        every = own_mean.new_empty(count(), 2 * x.shape[1] + 1)
        dist.all_gather(list(every.unbind()), torch.cat([own_mean, own_variance, own_entries]))
        means, variances, entries = every.split([x.shape[1], x.shape[1], 1], 1)  # (P, C), (P, C), (P, 1)
        share = entries / entries.sum()
        mean = (share * means).sum(0)  # (C,)
        variance = (share * (variances + (means - mean) ** 2)).sum(0)
        inverse = (variance + eps).rsqrt()
        shape = (1, -1, *[1] * (x.dim() - 2))
        normal = (_wide(x) - mean.view(shape)) * inverse.view(shape)
        ctx.save_for_backward(normal, inverse, weight, entries.sum())
        ctx.bias = bias is not None
        y = normal if weight is None else normal * weight.view(shape)
        y = y if bias is None else y + bias.view(shape)
        result = y.to(x.dtype), mean, variance, entries.sum()
        ctx.mark_non_differentiable(*result[1:])
        return result

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        normal, inverse, weight, entries = ctx.saved_tensors
        axes, shape = [0, *range(2, normal.dim())], (1, -1, *[1] * (normal.dim() - 2))
        given = _wide(gradient)
        sums = torch.stack([given.sum(axes), (given * normal).sum(axes)])  # (2, C), of own rows
        for_weight, for_bias = (None if weight is None else sums[1].clone()), (sums[0].clone() if ctx.bias else None)
        dist.all_reduce(sums)
        first, second = (sums / entries).unbind()
        scale = inverse if weight is None else inverse * weight
        x = (given - first.view(shape) - normal * second.view(shape)) * scale.view(shape)
        return x.to(gradient.dtype), for_weight, for_bias, None


def _wide(x: Tensor) -> Tensor:
    """In float32, or wider where it is."""
    return x if x.dtype == torch.float64 else x.float()
