"""How hard each term of a loss pulls at what it shares with others.

A term whose gradient is far longer than another's drowns it, however small it looks in the sum.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from partreid.layers import shares


def due(epoch: int) -> bool:
    """Whether to measure in this epoch, counted from 0: in the first, second, fourth, eighth, ... alone.

    A term costs another backward pass; where an epoch has sixteen batches, one in each epoch would be felt.
    """
    return (epoch + 1) & epoch == 0


def norms(terms: Mapping[str, Tensor], learner: nn.Module) -> dict[str, Tensor]:
    """The Euclidean norm of each term's gradient by the parameters that two terms or more reach, () each.

    terms: scalars of one forward pass, whose graph is kept. Parameters of one term alone, as a classifier's, do not say
    which term prevails; where there are no others, all count. A term that nothing learns from has 0.
    """
    parameters = [each for each in learner.parameters() if each.requires_grad]
    lengths = {name: _lengths(term, parameters) for name, term in terms.items()}
    reached = [sum(each is not None for each in of) for of in zip(*lengths.values(), strict=True)]
    least = min(2, max(reached, default=0))
    return {
        name: _norm([length for length, count in zip(found, reached, strict=True) if count >= least], terms[name])
        for name, found in lengths.items()
    }


def _lengths(term: Tensor, parameters: list[nn.Parameter]) -> list[Tensor | None]:
    """By parameter: the norm of the term's gradient, None where the term does not reach it."""
    if not term.requires_grad:
        return [None] * len(parameters)
    found = torch.autograd.grad(term, parameters, retain_graph=True, allow_unused=True)
    return [None if each is None else shares.averaged(each).norm() for each in found]


def _norm(lengths: list[Tensor | None], like: Tensor) -> Tensor:
    found = [each for each in lengths if each is not None]
    return torch.stack(found).norm() if found else like.new_zeros(())
