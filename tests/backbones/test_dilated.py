"""The dilated variants of the backbones."""

import pytest
import torch

from partreid import backbones
from partreid.backbones import DILATED
from partreid.errors import UserError


@pytest.mark.parametrize("name", sorted(DILATED))
def test_twice_the_cells_and_the_same_parameters(name):
    plain, dilated = backbones.build(name), backbones.build(name, dilated=True)
    dilated.load_state_dict(plain.state_dict())
    images = torch.randn(2, 3, 64, 32)
    assert plain(images).shape == (2, plain.channels, 4, 2)
    assert dilated(images).shape == (2, plain.channels, 8, 4)
    assert (plain.stride, dilated.stride) == (16, 8)


@pytest.mark.parametrize("name", ["mobilenet_v2", "resnet50"])
@torch.no_grad()
def test_every_second_cell_is_the_plain_networks(name):
    # the weights see what they were trained on: only the stride is gone
    torch.manual_seed(0)
    plain, dilated = backbones.build(name).eval(), backbones.build(name, dilated=True).eval()
    dilated.load_state_dict(plain.state_dict())
    images = torch.randn(1, 3, 64, 32)
    a, b = plain(images), dilated(images)
    assert a.std() > 0
    torch.testing.assert_close(b[:, :, ::2, ::2], a, atol=1e-4 * float(a.abs().max()), rtol=1e-4)


def test_a_backbone_without_a_dilated_variant_is_named():
    with pytest.raises(UserError, match="unknown backbone with a dilated variant 'vgg'; known: googlenet"):
        backbones.build("vgg", dilated=True)
