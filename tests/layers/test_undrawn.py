"""Networks whose numbers come from a file."""

import torch
from torch import nn

from partreid.layers.undrawn import undrawn


def made():
    net = nn.Sequential(nn.Conv2d(3, 4, 5), nn.BatchNorm2d(4), nn.Linear(4, 2), nn.PReLU())
    nn.init.kaiming_normal_(tensor=net[0].weight)
    nn.init.trunc_normal_(net[2].weight)
    nn.init.constant_(net[2].bias, 3)
    return net


def test_nothing_is_drawn_and_constants_are_there():
    before = torch.get_rng_state()
    with undrawn():
        net = made()
    assert torch.equal(torch.get_rng_state(), before)
    assert net[1].weight.tolist() == net[1].running_var.tolist() == [1.0] * 4
    assert (net[2].bias.tolist(), net[3].weight.tolist()) == ([3.0, 3.0], [0.25])
    net.load_state_dict(made().state_dict())
    assert all(value.isfinite().all() for value in net.state_dict().values())


def test_outside_of_it_networks_get_their_values():
    with undrawn():
        pass
    torch.manual_seed(0)
    assert nn.Linear(50, 50).weight.std() > 0.01
