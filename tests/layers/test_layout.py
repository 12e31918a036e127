"""A gradient that lies in memory as the feature map does, with the same numbers."""

import torch

from partreid.layers.layout import gradient_channels_last


def test_the_gradient_of_a_mean_is_the_same_and_lies_channels_last():
    x = torch.randn(2, 6, 4, 3).contiguous(memory_format=torch.channels_last).requires_grad_()
    seen = []
    y = gradient_channels_last(x * 1)
    y.grad_fn.next_functions[0][0].register_prehook(lambda gradients: seen.extend(gradients))
    (y.mean((2, 3)) * torch.arange(6.0)).sum().backward()
    assert torch.equal(y, x)
    assert seen[0].is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(x.grad, (torch.arange(6.0) / 12)[None, :, None, None].expand(2, 6, 4, 3))
