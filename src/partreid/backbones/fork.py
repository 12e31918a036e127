"""A backbone that ends twice."""

from collections.abc import Sequence

from torch import nn

from partreid import backbones


class Fork(nn.Module):
    """A backbone's front, and its tail twice, with weights of their own: PAH-Net's f_1, f_21 and f_22."""

    def __init__(self, backbone: str):
        super().__init__()
        whole = backbones.build(backbone)
        self.channels = whole.channels
        self.front, self.tail_1 = whole.split()
        self._whole = (whole,)  # no sub-module of its own: its layers are the front's and the first tail's
        _, self.tail_2 = backbones.build(backbone).split()

    def load_imagenet(self, backbone: str) -> None:
        """The same published weights for both tails."""
        whole = backbones.build(backbone)
        backbones.load_imagenet(whole, backbone)
        front, tail = whole.split()
        self.front.load_state_dict(front.state_dict())
        for own in (self.tail_1, self.tail_2):
            own.load_state_dict(tail.state_dict())

    def early(self) -> Sequence[nn.Module]:
        """The front's layers up to stride 4; see backbones.base."""
        return self._whole[0].early()
