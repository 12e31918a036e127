"""A backbone whose last block exists several times, and whose input may have other channels than an image.

The shape stream's F_s of Hong et al., "Fine-Grained Shape-Appearance Mutual Learning for Cloth-Changing Person
Re-Identification", CVPR 2021, section 3.2: the blocks before the last are shared, each input goes through one copy of
the last one, chosen by its pose (Eq. 6), or, the variant "3B" of table 2, through all, whose outputs are added.
"""

import copy

import torch
from torch import Tensor, nn

from partreid.backbones.base import Blocks


class Branched(nn.Module):
    """F_s on the blocks of `network`, which becomes part of it.

    branches: b, how many copies of the last block there are. inputs: channels of the input, 3 for an image.
    """

    def __init__(self, network: Blocks, branches: int, inputs: int):
        super().__init__()
        self.network = network
        self.others = nn.ModuleList(copy.deepcopy(network.blocks()[-1]) for _ in range(branches - 1))
        if inputs != 3:
            first = first_convolution(network)
            first.in_channels = inputs
            first.weight = nn.Parameter(first.weight.new_empty(len(first.weight), inputs, *first.kernel_size))
            first.reset_parameters()

    def start_from(self, images: Blocks) -> None:
        """Take over the weights of a network for images of the same kind as `network`.

        All branches start alike. A widened first convolution sees channel 0, the background, not at all and every
        other channel as white on black: whatever the parts are, at the start it sees the whole figure.
        """
        state = dict(images.state_dict())
        first = first_convolution(self.network)
        if first.in_channels != 3:
            name = next(name for name, module in self.network.named_modules() if module is first)
            white = state[f"{name}.weight"].sum(1, keepdim=True)  # (channels, 1, k, k)
            shown = white.expand(-1, first.in_channels - 1, -1, -1)
            state[f"{name}.weight"] = torch.cat([torch.zeros_like(white), shown], 1)
        self.network.load_state_dict(state)
        for block in self.others:
            block.load_state_dict(images.blocks()[-1].state_dict())

    @torch.no_grad()
    def set_apart(self, share: float) -> None:
        """Add noise to the convolutions of all branches but the first, of `share` of each one's standard deviation.

        Branches that are added have the same input and the same gradient: those that start alike stay alike, three
        times one branch.
        """
        for module in self.others.modules():
            if isinstance(module, nn.Conv2d):
                module.weight += share * module.weight.std() * torch.randn_like(module.weight)

    def block_maps(self, x: Tensor, branch: Tensor | None) -> list[Tensor]:
        """x (B, inputs, H, W) -> the four blocks' outputs. branch: int64 (B,), 0..b-1, or None to add all branches.

        A branch's batch norms see its own inputs only; in a batch without any it is left as it is.
        """
        *shared, last = self.network.blocks()
        maps = [self.network.stem(x)]
        for block in shared:
            maps.append(block(maps[-1]))
        branches = [last, *self.others]
        if branch is None:
            out = torch.stack([block(maps[-1]) for block in branches]).sum(0)
        elif torch.compiler.is_exporting():  # no graph splits a batch by what it holds: every branch sees all of it
            every = torch.stack([block(maps[-1]) for block in branches], 1)  # (B, b, C, h, w)
            own = torch.nn.functional.one_hot(branch, len(branches)).to(every)
            out = (every * own[:, :, None, None, None]).sum(1)
        else:
            order = branch.argsort(stable=True)
            sizes = branch.bincount(minlength=len(branches)).tolist()  # the one time that the host waits for a GPU
            given = zip(branches, maps[-1][order].split(sizes), strict=True)
            parts = [block(own) for block, own in given if len(own)]
            out = torch.cat(parts)[order.argsort()]  # back in the batch's order
        return [*maps[1:], out]


def first_convolution(network: nn.Module) -> nn.Conv2d:
    """The convolution that takes the image: in our backbones, the first in the order of definition."""
    return next(module for module in network.modules() if isinstance(module, nn.Conv2d))
