"""What would let a host wait for its GPU, or forbid a CUDA graph, found without one.

Steps on fake tensors, which have shapes and no values: where a value would be needed they raise.
"""

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from partreid import methods, params, pretraining
from partreid.backbones.hrnet import Module, nearest
from partreid.backbones.resnet_ibn import ResNet50IBN
from partreid.experiments import costs
from partreid.layers.constants import constant


class NothingFromTheHost(TorchDispatchMode):
    """Raises where a tensor is made of Python's numbers: on a GPU that is a copy which waits."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        assert "lift" not in str(function), f"{function}: numbers go from host to device"
        return function(*args, **(kwargs or {}))


@pytest.fixture
def fake():
    constant.cache_clear()
    with FakeTensorMode(allow_non_fake_inputs=True):
        yield
    constant.cache_clear()


def step(name, project):
    p = params.load(project / "params.yaml")
    block = p.methods.get(name) or p.pretraining[name]
    own = {key: value for key, value in block.items() if key not in params.Recipe.__dataclass_fields__}
    own = {key: value["others"] if isinstance(value, dict) else value for key, value in own.items()}
    build = methods.build if name in methods.METHODS else pretraining.build
    learner = build(name, backbone=block["backbone"], identities=4, **own).train()
    learner.mixed = True
    batch = costs.made_up(learner, 8, 96, 48)
    if name == "pah":
        learner.made = {"pseudo_parts": torch.zeros(8, 24, 12, dtype=torch.uint8)}
    learner.losses(batch)  # constants are copied once
    with NothingFromTheHost():
        torch.stack(list(learner.losses(batch).values())).sum().backward()
    return learner


# fsam waits once, for the sizes of its pose branches, and so has no CUDA graph
@pytest.mark.parametrize("name", sorted({*methods.METHODS, *pretraining.PRETRAININGS} - {"fsam"}))
@pytest.mark.usefixtures("fake")
def test_a_step_neither_waits_nor_copies(name, project):
    assert any(parameter.grad is not None for parameter in step(name, project).parameters())


@pytest.mark.parametrize("network", [lambda: Module((32, 64), nearest), ResNet50IBN])
def test_the_layout_is_kept(network):
    module = network().to(memory_format=torch.channels_last)
    seen = []

    def look(_, __, out):
        seen.extend(each.is_contiguous(memory_format=torch.channels_last) for each in [*out])

    for part in module.modules():
        if type(part).__name__ in ("Module", "BasicBlock", "Bottleneck"):
            part.register_forward_hook(lambda _, __, out: look(_, __, out if isinstance(out, list) else [out]))
    if isinstance(module, Module):
        wide = [torch.randn(2, c, 32 // s, 16 // s) for c, s in ((32, 1), (64, 2))]
        module([each.to(memory_format=torch.channels_last) for each in wide])
    else:
        module(torch.randn(2, 3, 64, 32).contiguous(memory_format=torch.channels_last))
    assert seen
    assert all(seen)
