import pytest
import torch

from partreid import backbones
from partreid.backbones.base import Blocks
from partreid.backbones.branched import Branched, first_convolution

# of each block: channels and size of its output for images of 64 x 32
MAPS = {
    "resnet50": [(256, 16, 8), (512, 8, 4), (1024, 4, 2), (2048, 4, 2)],
    "mobilenet_v2": [(24, 16, 8), (32, 8, 4), (96, 4, 2), (1280, 4, 2)],
}


@pytest.mark.parametrize("name", sorted(MAPS))
def test_blocks_end_where_the_backbone_ends(name):
    torch.manual_seed(0)
    network = backbones.build(name).eval()
    images = torch.randn(1, 3, 64, 32)
    with torch.no_grad():
        maps = network.block_maps(images)
        assert [tuple(each.shape[1:]) for each in maps] == MAPS[name]
        assert torch.equal(maps[-1], network(images))
    inside = {id(p) for block in network.blocks() for p in block.parameters()}
    assert len(inside) == sum(1 for block in network.blocks() for _ in block.parameters())


def branched(branches=3, inputs=3):
    torch.manual_seed(0)
    network = Branched(backbones.build("mobilenet_v2"), branches, inputs)
    for branch in network.others:  # so that branches differ
        for p in branch.parameters():
            torch.nn.init.normal_(p, std=0.1)
    return network


def test_parameter_count_of_the_papers_shape_stream():
    with torch.device("meta"):
        stream = Branched(backbones.build("resnet50"), 3, 3)
        one = Branched(backbones.build("resnet50"), 1, 3)
    assert sum(p.numel() for p in stream.parameters()) == 53_437_504  # three layer4 of 14,964,736
    assert sum(p.numel() for p in one.parameters()) == 23_508_032


@torch.no_grad()
def test_each_input_goes_through_its_branch_alone():
    network = branched().eval()
    x = torch.randn(6, 3, 64, 32)
    branch = torch.tensor([2, 0, 1, 1, 0, 2])
    maps = network.block_maps(x, branch)
    last = [network.network.blocks()[-1], *network.others]
    for row, chosen in enumerate(branch.tolist()):
        alone = last[chosen](maps[2][row : row + 1])[0]
        torch.testing.assert_close(maps[3][row], alone)
    added = network.block_maps(x, None)
    torch.testing.assert_close(added[3], sum(block(maps[2]) for block in last))
    torch.testing.assert_close(added[2], maps[2])


def test_a_branch_without_inputs_is_left_alone():
    network = branched().train()
    before = [value.clone() for value in network.others[1].state_dict().values()]
    network.block_maps(torch.randn(4, 3, 64, 32), torch.tensor([0, 1, 1, 0]))[-1].sum().backward()
    assert all(p.grad is not None for p in network.others[0].parameters())
    assert all(p.grad is None for p in network.others[1].parameters())
    after = network.others[1].state_dict().values()
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


@torch.no_grad()
def test_at_the_start_all_parts_together_are_a_white_figure():
    torch.manual_seed(1)
    plain = backbones.build("mobilenet_v2").eval()
    assert isinstance(plain, Blocks)
    seven, three = branched(inputs=7).eval(), branched(inputs=3).eval()
    seven.start_from(plain)
    three.start_from(plain)
    classes = torch.rand(3, 7, 64, 32).softmax(1)
    figure = (1 - classes[:, :1]).expand(-1, 3, -1, -1)
    branch = torch.tensor([0, 1, 2])
    for a, b in zip(seven.block_maps(classes, branch), three.block_maps(figure, branch), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(three.block_maps(figure, branch)[-1], plain(figure))  # all branches start alike
    assert first_convolution(seven.network).weight.shape == (32, 7, 3, 3)


def test_branches_that_are_added_learn_apart_once_they_are_set_apart():
    """Alike, they would get the same gradient for ever."""

    def gradients(share):
        torch.manual_seed(0)
        network = Branched(backbones.build("mobilenet_v2"), 3, 3)
        network.set_apart(share)
        network.block_maps(torch.randn(2, 3, 64, 32), None)[-1].square().sum().backward()
        branches = [network.network.blocks()[-1], *network.others]
        return [torch.cat([p.grad.flatten() for p in branch.parameters()]) for branch in branches]

    one, *others = gradients(0.0)
    assert all(torch.equal(one, other) for other in others)
    one, two, three = gradients(0.1)
    for a, b in ((one, two), (one, three), (two, three)):
        assert (a - b).norm() > 0.1 * a.norm()


@pytest.mark.parametrize("branch", [[0, 2, 1, 1], [2, 2, 2, 2]])
def test_an_exported_graph_computes_all_branches_and_takes_the_same(branch, monkeypatch):
    """It cannot split a batch by what it holds."""
    network, x = branched().eval(), torch.randn(4, 3, 32, 16)
    with torch.no_grad():
        wanted = network.block_maps(x, torch.tensor(branch))
        monkeypatch.setattr(torch.compiler, "is_exporting", lambda: True)
        found = network.block_maps(x, torch.tensor(branch))
    for ours, theirs in zip(wanted, found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
