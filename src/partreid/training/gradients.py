"""How hard each term of a loss pulls: the norm of its gradient by all that is trained.

A term whose gradient is far longer than another's drowns it, however small it looks in the sum.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn


def due(epoch: int) -> bool:
    """Whether to measure in this epoch, counted from 0: in the first, second, fourth, eighth, ... alone.

    A term costs another backward pass; where an epoch has sixteen batches, one in each epoch would be felt.
    """
    return (epoch + 1) & epoch == 0


def norms(terms: Mapping[str, Tensor], learner: nn.Module) -> dict[str, Tensor]:
    """The Euclidean norm of each term's gradient by all parameters that learn, () each, on the device.

    terms: scalars of one forward pass, whose graph is kept. A term that nothing learns from has 0.
    """
    parameters = [each for each in learner.parameters() if each.requires_grad]
    return {name: _norm(term, parameters) for name, term in terms.items()}


def _norm(term: Tensor, parameters: list[nn.Parameter]) -> Tensor:
    if not term.requires_grad:
        return term.new_zeros(())
    found = torch.autograd.grad(term, parameters, retain_graph=True, allow_unused=True)
    lengths = [each.norm() for each in found if each is not None]
    return torch.stack(lengths).norm() if lengths else term.new_zeros(())
