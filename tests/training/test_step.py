"""A step's book-keeping around CUDA graphs, with a stand-in for torch's: what it replays is done again in Python."""

from contextlib import contextmanager

import pytest
import torch
from torch import nn

from partreid.inputs.batch import Batch
from partreid.methods.base import Learner
from partreid.training import step as steps
from partreid.training.step import Step, ways

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


class Line(Learner):
    """Two terms of a linear map of the images' means."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.map = nn.Linear(3, 2)
        self.unused = nn.Linear(3, 2)

    def losses(self, batch):
        y = self.map(batch.images.mean((2, 3)))
        return {"far": (y[:, 0] - batch.pid).square().mean(), "near": y[:, 1].abs().mean()}


def batches(count):
    for number in range(count):
        images = torch.randn(4, 3, 2, 2, generator=torch.Generator().manual_seed(number))
        yield Batch(
            images=images.contiguous(memory_format=torch.channels_last),
            labels={"a": images[:, 0]},
            labelled={},
            pid=torch.arange(4) + number,
            clean=images[:0],
            rows=torch.arange(4),
            changes=torch.zeros(4, 7),
        )


def trained(count=9, pulls=(0, 7), **options):
    learner = Line()
    step = Step(learner, torch.optim.SGD(learner.parameters(), lr=0.1, momentum=0.9), compiled=False, **options)
    values = [step(batch, pulls=number in pulls).tolist() for number, batch in enumerate(batches(count))]
    return step, values, learner.state_dict()


@pytest.fixture
def graphs(monkeypatch):
    """Replays that have happened."""
    replays = []

    class Graph:
        """What is captured cannot be seen from here, so a replay does what the step does, into the same memory."""

        def replay(self):
            replays.append(self)
            step = Graph.of
            values = step._forward_and_backward(step._seen, step._losses)
            step._values.copy_(values)
            for parameter, gradient in step._gradients:
                if gradient is not None:
                    gradient.copy_(parameter.grad)

    @contextmanager
    def graph(_, **options):
        assert options["capture_error_mode"] == "thread_local"  # the feed uses the GPU meanwhile
        yield

    record = Step._record

    def recorded(step, batch):
        Graph.of = step
        record(step, batch)

    monkeypatch.setattr(Step, "_record", recorded)
    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(torch.cuda, "graph", graph)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: None)
    return replays


def test_replayed_steps_train_as_steps_op_by_op(graphs):
    plain, expected, weights = trained(graphed=False)
    assert not graphs
    assert plain.how == "op by op"
    step, values, same = trained(graphed=True)
    # two are for the pulls, which are taken op by op, and WARM come before the recording
    assert len(graphs) == 9 - 2 - steps.WARM
    assert step.how == "CUDA graph"
    assert step.names == ("loss", "far", "near")
    assert values == expected
    assert all(torch.equal(weights[name], same[name]) for name in weights)
    assert step.pulls.keys() == {"far", "near"}


def test_what_cannot_be_recorded_goes_on_op_by_op(graphs, monkeypatch):
    _, expected, weights = trained(graphed=False)

    @contextmanager
    def refuses(*_, **__):
        yield
        raise RuntimeError("operation not permitted when stream is capturing\nmore")

    monkeypatch.setattr(torch.cuda, "graph", refuses)
    step, values, same = trained(graphed=True)
    assert step.how == "op by op, no CUDA graph (RuntimeError: operation not permitted when stream is capturing)"
    assert not graphs
    assert values == expected
    assert all(torch.equal(weights[name], same[name]) for name in weights)


@pytest.mark.parametrize(
    ("compiling", "device", "expected"),
    [
        ("auto", CUDA, (False, True)),
        ("auto", CPU, (False, False)),
        ("on", CUDA, (True, True)),
        ("on", CPU, (True, False)),
        ("off", CUDA, (False, False)),
    ],
)
def test_ways(compiling, device, expected):
    assert ways(compiling, device) == expected


def test_compiled_losses_are_the_losses():
    """Traced by torch.compile as on a GPU, without its code generator, which takes minutes."""
    learner, other = Line(), Line()
    compiled = torch.compile(other.losses, backend="aot_eager", dynamic=False)
    for batch in batches(2):
        for name, value in learner.losses(batch).items():
            assert torch.allclose(value, compiled(batch)[name])
