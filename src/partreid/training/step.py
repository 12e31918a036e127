"""One training step, and how a GPU is made to do it: op by op, as a recorded CUDA graph, compiled.

A step of these networks is some thousand small kernels. Started one by one they keep the host busier than the GPU; a
CUDA graph, recorded once and replayed, starts all of forward and backward at once. Compiling (torch.compile) also joins
kernels, which takes minutes before the first step. What cannot be recorded or compiled, as FSAM's branches, whose sizes
depend on the batch, runs op by op; `how` says what was done, and why not more.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import fields, replace
from typing import Any

import torch
from torch import Tensor

from partreid.errors import choose
from partreid.inputs.batch import Batch
from partreid.methods.base import Learner
from partreid.params import Recipe
from partreid.training import gradients
from partreid.training.feed import tensors_of

OPTIMIZERS: Mapping[str, Callable[..., torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "sgd": lambda parameters, **options: torch.optim.SGD(parameters, momentum=0.9, **options),
}
# what of a backbone does not learn: nothing, or the layers up to stride 4, a fourth of a step's time
FREEZE: Mapping[str, Callable[[Learner], object]] = {"none": id, "stride4": Learner.freeze}
Losses = Callable[[Batch], dict[str, Tensor]]
COMPILE = dict.fromkeys(("auto", "on", "off"))
WARM = 4  # steps op by op before one is recorded: libraries plan their kernels and allocate


def optimizer_of(learner: Learner, recipe: Recipe) -> torch.optim.Optimizer:
    """Freeze what the recipe freezes; the optimiser of the learner's parameters, all in one kernel ("fused")."""
    choose(FREEZE, recipe.freeze, "layers (freeze)")(learner)
    build = choose(OPTIMIZERS, recipe.optimizer, "optimizer")
    return build(learner.parameter_groups(recipe.weight_decay), lr=recipe.learning_rate, fused=True)


def ways(compiling: str, device: torch.device) -> tuple[bool, bool]:
    """Whether to compile, and whether to record a CUDA graph, by train.compile.

    auto records a graph on CUDA and compiles nothing: graphs alone make steps as fast as the goals ask, at no cost, and
    what compiling adds has not been measured. on does both; off neither.
    """
    choose(COMPILE, compiling, "compile (train.compile)")
    return compiling == "on", device.type == "cuda" and compiling != "off"


class Step:
    """A step on one batch after another, all of one shape. Returns every term of the loss and their sum, first.

    losses: the learner's, unless others are given. names: of the terms, after the first step. how: what is done with
    the network, in words. pulls: the norms of the terms' gradients (training.gradients) in the last step that was asked
    for them.
    """

    def __init__(
        self,
        learner: Learner,
        optimizer: torch.optim.Optimizer,
        *,
        compiled: bool,
        graphed: bool,
        losses: Losses | None = None,
    ):
        self.learner, self.optimizer = learner, optimizer
        self.pulls: dict[str, Tensor] = {}
        self.names: tuple[str, ...] = ()
        self.how = "op by op"
        self._plain: Losses = learner.losses if losses is None else losses
        self._losses: Losses = self._plain
        if compiled:
            self._losses = torch.compile(self._plain, dynamic=False)
            self.how = "compiled"
        self._steps_to_graph = WARM if graphed else 0
        self._graph: torch.cuda.CUDAGraph | None = None
        self._seen: Batch
        self._values: Tensor
        self._gradients: list[tuple[Tensor, Tensor | None]] = []

    def __call__(self, batch: Batch, pulls: bool = False) -> Tensor:
        """float32 (terms + 1,), on the device; good until the next step. pulls: measure them, op by op."""
        if pulls:
            values = self._forward_and_backward(batch, self._plain, pulls=True)
            self.optimizer.step()
            return values
        if self._graph is None:
            values = self._tried(batch)
            self.optimizer.step()
            self._steps_to_graph -= 1
            if self._steps_to_graph == 0:
                self._record(batch)
            return values
        for own, given in zip(tensors_of(self._seen), tensors_of(batch), strict=True):
            own.copy_(given)
        self._graph.replay()
        for parameter, gradient in self._gradients:  # a step for the pulls has put others there
            parameter.grad = gradient
        self.optimizer.step()
        return self._values

    def _tried(self, batch: Batch) -> Tensor:
        """Forward and backward, op by op or compiled; if compiling fails, once and for all op by op."""
        try:
            return self._forward_and_backward(batch, self._losses)
        except Exception as error:
            if self._losses is self._plain:
                raise
            self._losses, self.how = self._plain, f"op by op: compiling failed ({_first_line(error)})"
            return self._forward_and_backward(batch, self._losses)

    def _forward_and_backward(self, batch: Batch, losses: Losses, pulls: bool = False) -> Tensor:
        self.optimizer.zero_grad(set_to_none=True)
        terms = losses(batch)
        if pulls:
            self.pulls = gradients.norms(terms, self.learner)
        loss = torch.stack(list(terms.values())).sum()
        loss.backward()
        self.names = ("loss", *terms)
        return torch.stack([loss, *terms.values()]).detach()

    def _record(self, batch: Batch) -> None:
        self._seen = copied(batch)
        self.optimizer.zero_grad(set_to_none=True)  # so that the gradients are the graph's own memory
        graph = torch.cuda.CUDAGraph()
        try:
            # other threads may use the GPU meanwhile: the feed does
            with torch.cuda.graph(graph, stream=torch.cuda.current_stream(), capture_error_mode="thread_local"):
                self._values = self._forward_and_backward(self._seen, self._losses)
        except Exception as error:
            self.optimizer.zero_grad(set_to_none=True)
            self.how += f", no CUDA graph ({_first_line(error)})"
            return
        self._graph = graph
        of_all = (parameter for group in self.optimizer.param_groups for parameter in group["params"])
        self._gradients = [(parameter, parameter.grad) for parameter in of_all]
        self.how = "CUDA graph" if self._losses is self._plain else "compiled CUDA graph"


def copied(batch: Batch) -> Batch:
    """The batch in memory of its own, in the same layout."""

    def copy(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {name: tensor.clone() for name, tensor in value.items()}
        return value.clone()

    return replace(batch, **{member.name: copy(getattr(batch, member.name)) for member in fields(batch)})


@contextmanager
def _side_stream(device: torch.device) -> Any:
    stream = torch.cuda.Stream(device)
    stream.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(stream):
        yield
    torch.cuda.current_stream(device).wait_stream(stream)


def own_stream(device: torch.device) -> AbstractContextManager[None]:
    """Where steps run: on CUDA a stream of their own, since the default one cannot be recorded."""
    return _side_stream(device) if device.type == "cuda" else nullcontext()


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}"[:200]
