import pytest
import torch

from partreid import backbones
from partreid.backbones.miniparser import MiniParser
from partreid.backbones.parser import PARSERS, Parser, coarse
from partreid.backbones.schp import SCHP
from partreid.errors import UserError
from partreid.storage import published_weights


@pytest.mark.parametrize("name", sorted(PARSERS))
def test_every_parser_scores_every_pixel(name):
    with torch.device("meta"):
        assert Parser(name)(torch.zeros(2, 3, 96, 48)).shape == (2, 7, 96, 48)


def test_every_parameter_of_the_small_parser_learns():
    torch.manual_seed(0)
    network = MiniParser(7)
    logits = network(torch.randn(2, 3, 64, 32))
    assert logits.shape == (2, 7, 32, 16)
    logits.square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())
    assert sum(p.numel() for p in network.parameters()) == 578_215


def test_imagenet_weights_go_into_the_encoder_alone(tmp_path, monkeypatch):
    source = backbones.build("mobilenet_v2")
    torch.save({**source.state_dict(), "classifier.1.weight": torch.zeros(3, 3)}, tmp_path / "weights.pth")
    monkeypatch.setattr(published_weights, "path", lambda _: tmp_path / "weights.pth")
    parser = Parser("mini")
    before = {name: value.clone() for name, value in parser.network.state_dict().items()}
    parser.load_imagenet()
    for name, value in parser.network.state_dict().items():
        assert torch.equal(value, source.state_dict().get(name, before[name])), name
    assert any(not torch.equal(value, before[name]) for name, value in parser.network.state_dict().items())


def test_the_small_parser_has_no_published_weights():
    with pytest.raises(UserError, match="set published to false"):
        Parser("mini").load_published()


def test_the_label_is_enlarged_from_cell_centres():
    label = torch.zeros(1, 8, 2, 1)
    label[0, 0, 0], label[0, 3, 1], label[0, 7] = 1, 1, 0.5
    found = coarse(label, (4, 2))
    assert found.shape == (1, 7, 4, 2)
    assert found[0, 3, :, 0].tolist() == [0, 0.25, 0.75, 1]
    assert found[0, 0, :, 1].tolist() == [1, 0.75, 0.25, 0]


def test_published_weights_go_into_schp(tmp_path, monkeypatch):
    monkeypatch.setitem(PARSERS, "schp", lambda: SCHP(7, (1, 1, 1, 1)))  # the architecture, a bottleneck per stage
    torch.manual_seed(0)
    source = SCHP(7, (1, 1, 1, 1))
    torch.save({"state_dict": {f"module.{name}": value for name, value in source.state_dict().items()}}, tmp_path / "a")
    monkeypatch.setattr(published_weights, "path", lambda name: {"schp_pascal": tmp_path / "a"}[name])
    parser = Parser("schp")
    parser.load_published()
    assert torch.equal(parser.network.decoder.conv4.weight, source.decoder.conv4.weight)
    images = torch.randn(1, 3, 32, 16)
    with torch.no_grad():
        logits = parser.eval()(images)
        small = parser.network(images).fused
    assert logits.shape == (1, 7, 32, 16)
    for row, column in ((0, 0), (-1, 0), (0, -1), (-1, -1)):  # corners on corners
        torch.testing.assert_close(logits[..., row, column], small[..., row, column])
