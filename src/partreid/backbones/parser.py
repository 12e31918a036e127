"""The parsing networks that FSAM trains further: scores of the seven classes of body.parsing for every pixel."""

from collections.abc import Callable, Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from partreid.backbones import schp
from partreid.backbones.miniparser import MiniParser
from partreid.body.parsing import PARSING
from partreid.errors import UserError, choose
from partreid.storage import published_weights

PARSERS: dict[str, Callable[[], nn.Module]] = {
    "schp": lambda: schp.SCHP(len(PARSING)),  # the paper's
    "mini": lambda: MiniParser(len(PARSING)),  # for two CPU cores
}


class Parser(nn.Module):
    """Images (B, 3, H, W), RGB with ImageNet statistics -> logits (B, 7, H, W). name: one of PARSERS."""

    def __init__(self, name: str):
        super().__init__()
        self.network = choose(PARSERS, name, "parser")()

    def forward(self, images: Tensor) -> Tensor:
        found = self.network(images)
        logits = found.fused if isinstance(found, schp.Parsing) else found
        # corner pixels on corner pixels, as SCHP was trained
        return F.interpolate(logits.float(), images.shape[2:], mode="bilinear", align_corners=True)

    def early(self) -> Sequence[nn.Module]:
        """The layers up to stride 4, in order. UserError where they are not known."""
        if not isinstance(self.network, MiniParser):
            raise UserError("which layers of the parser schp come first is not known; use freeze: none")
        return self.network.early()

    def load_published(self) -> None:
        """SCHP's weights for Pascal-Person-Part, a file that a person has to download."""
        if not isinstance(self.network, schp.SCHP):
            raise UserError("there are no published weights of this parser; set published to false, or parser to schp")
        schp.load(self.network, published_weights.path("schp_pascal"))

    def load_imagenet(self) -> None:
        """ImageNet weights into the part of the network that has some: MobileNetV2 in "mini". SCHP stays random."""
        if isinstance(self.network, MiniParser):
            self.network.load_imagenet()


def coarse(label: Tensor, size: tuple[int, int]) -> Tensor:
    """The label `schp` of a batch, (B, 8, h, w), as class probabilities (B, 7, *size)."""
    return F.interpolate(label[:, : len(PARSING)], size, mode="bilinear", align_corners=False)
