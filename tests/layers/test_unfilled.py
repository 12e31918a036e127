"""Networks without numbers."""

import subprocess
import sys

import torch
from torch import nn

from partreid.layers.unfilled import unfilled


def test_tensors_have_shapes_and_no_values():
    with unfilled():
        made = nn.Sequential(nn.Conv2d(3, 4, 5), nn.BatchNorm2d(4), nn.Linear(4, 2))
        nn.init.normal_(made[2].weight)
        nn.init.kaiming_normal_(tensor=made[0].weight)
    filled = nn.Sequential(nn.Conv2d(3, 4, 5), nn.BatchNorm2d(4), nn.Linear(4, 2))
    assert all(value.is_meta for value in made.state_dict().values())
    assert {n: (v.shape, v.dtype) for n, v in made.state_dict().items()} == {
        n: (v.shape, v.dtype) for n, v in filled.state_dict().items()
    }


def test_outside_of_it_networks_get_their_values():
    with unfilled():
        pass
    torch.manual_seed(0)
    assert nn.Linear(50, 50).weight.std() > 0.01
    assert nn.init.constant_(torch.empty(3), 2.0).tolist() == [2.0] * 3


def test_all_methods_are_checked_without_torchs_compiler():
    code = (
        "import sys; from partreid import params; from partreid.experiments import check;"
        "check.names(params.load()); sys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
