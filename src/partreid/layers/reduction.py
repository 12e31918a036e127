"""What narrows a pooled vector to an embedding: Bag of Tricks' where it is asked to, and BPBreID's."""

from torch import nn


def reduction(inputs: int, outputs: int) -> nn.Module:
    """(N, inputs) -> (N, outputs) by Linear + BN + ReLU. outputs 0: the vector as it is pooled."""
    if not outputs:
        return nn.Identity()
    return nn.Sequential(nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs), nn.ReLU(inplace=True))
