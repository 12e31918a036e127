"""PABR: part-aligned bilinear representations.

Suh, Wang, Tang, Mei, Lee: "Part-Aligned Bilinear Representations for Person Re-identification", ECCV 2018. In the
paper's order: the appearance map A and the part map P (section 3.1, Eq. 1-2), bilinear pooling (3.2, Eq. 3-5, in
partreid.layers.bilinear), the triplet loss (3.3, Eq. 6-7, in partreid.losses.all_triplets). Section 4's part-aware
similarity (Eq. 8-9) follows from Eq. 3 and is a test of ours.

P comes from the part of OpenPose up to its second stage, 185 maps: 38 of limbs, 19 of joints, 128 inner ones (the
paper's "internal"). `trained`, it is a network that starts from the pre-training `partmaps`: the published weights, as
in the paper, or, where they cannot be had, the regression of the re-identification set's own cached part maps. Figure
6a's "fixed" is the same network with its weights as they start, `frozen`. Not in the paper: `cached` runs no part
network; the cached part maps of the same images, from whatever `labels.partmaps.tool` names, stand in its place, in
training (moved as the image is) and test. A cache of 57 channels has no inner maps; these then are 0 and say nothing.
Figure 6 compares with the appearance alone (`part_stream: none`): the baseline pools its mean, and
`pooling: second_order` is the bilinear pooling of the appearance map with itself.

Where the paper is silent we follow what its authors published:
- the batch norms after both reductions have no affine parameters;
- without dilation, where the appearance map has half the cells, the 185 maps are max-pooled 2x2 before the reduction;
- biases have no weight decay;
- images are mirrored, with probability 0.5, and nothing else changes them.
All vectors are brought to unit length, those of the baselines of section 6.3 too, of which the paper does not say it.
Each part network gets the input that it was trained with (partreid.backbones): OpenPose its own normalisation, where
the code gives it the appearance network's times 0.0039, which is `part_network: openpose_pabr`.
Where paper and published code disagree we follow the paper; the code's choices by name:
- loss: Eq. 6 compares inner products by the margin 0.2. `similarity: squared_distance` is the code's, at the same
  margin half as strict and of twice the scale. Eq. 7 averages over all triplets; `average: active` is the code's.
- weight decay 2e-3 (code: 2e-4) and batches of 180 (code: 250) are params.yaml's.
- the learning rate multiplies the step. The code's, as Caffe's, goes into the momentum instead, which differs for the
  few steps after the rate has fallen; it is not offered.
- the baseline without parts (`part_stream: none`) is the appearance map, its mean over the cells, a linear layer, as in
  section 6.3; the code's goes on to inception 5b.
The paper's 75,000 iterations are 750 epochs of 100, whatever the set, as in the code (`batches_per_epoch`). Its
batches hold 180 images, "on average" 18 persons with 10 each: `sampler: consecutive`, as the code, takes all images of
a person, then all of the next. A tracklet or a multi-query is the average of its images' vectors
(partreid.evaluation.pooling).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import torch.nn.functional as F
from torch import Tensor, nn

from partreid import backbones
from partreid.errors import UserError, choose, positive
from partreid.inputs.batch import Batch, Inputs
from partreid.layers.bilinear import POOLINGS, SECOND_ORDER, Concatenated, Pooling, SecondOrder, glorot
from partreid.layers.constants import constant
from partreid.losses.all_triplets import MEANS, all_triplets
from partreid.methods.base import Method

MAPS = {"limb": range(38), "joint": range(38, 57), "inner": range(57, 185)}  # where each kind stands in the 185
PART_STREAMS = ("trained", "frozen", "cached", "none")
SIMILARITIES: Mapping[str, Callable[[Tensor], Tensor]] = {  # unit vectors (B, D) -> (B, B)
    "inner_product": lambda f: f @ f.T,
    "squared_distance": lambda f: 2 * (f @ f.T) - 2,  # minus the squared distance of unit vectors
}


class PABR(Method):
    """f~, one unit vector per image; cosine distance.

    part_stream: a name of PART_STREAMS. part_network: the backbone that gives the 185 maps, where there is one.
    part_maps: which of them are used (Table 1). non_negative: a ReLU after the part map (Table 7). pooling: a key of
    partreid.layers.bilinear.POOLINGS (Fig. 6c). dilated: an appearance map of twice the resolution. appearance, part:
    cA and cP. embedding: length of the vector ("exact" has its own). margin: m. similarity, average: see above. Without
    a part stream nothing of the parts plays a role, nor `pooling`, unless it is "second_order".
    """

    distance = "cosine"

    def __init__(
        self,
        *,
        backbone: str,
        identities: int,  # noqa: ARG002  every method is told; without a classifier it does not matter
        part_stream: str,
        part_network: str,
        part_maps: Sequence[str],
        non_negative: bool,
        pooling: str,
        dilated: bool,
        appearance: int,
        part: int,
        embedding: int,
        margin: float,
        similarity: str,
        average: str,
    ):
        super().__init__()
        choose(dict.fromkeys(PART_STREAMS), part_stream, "part stream (part_stream)")
        if pooling == SECOND_ORDER and part_stream != "none":
            raise UserError(f"pooling {SECOND_ORDER} is of the appearance alone; set methods.pabr.part_stream: none")
        choose({**POOLINGS, SECOND_ORDER: None}, pooling, "pooling")
        choose(dict.fromkeys(MEANS), average, "average (average)")
        for name, width in (("appearance", appearance), ("part", part), ("embedding", embedding)):
            positive(width, name)
        if isinstance(part_maps, str) or not part_maps:
            raise UserError(f"part_maps is a list of one or more of {', '.join(MAPS)}")
        self.backbone = backbones.build(backbone, dilated)
        self.appearance = nn.Sequential(*reduction(self.backbone.channels, appearance, 1))
        self.part_stream = part_stream
        self.dilated = dilated
        self.channels = tuple(c for kind in part_maps for c in choose(MAPS, kind, "part maps (part_maps)"))
        self.pooling: Pooling
        if part_stream == "none":
            pools = SecondOrder if pooling == SECOND_ORDER else Concatenated  # of the appearance map's mean alone
            self.pooling = pools(appearance, 0, embedding)
        else:
            relu = [nn.ReLU()] if non_negative else []
            self.part = nn.Sequential(*reduction(len(self.channels), part, 3), *relu)
            self.pooling = POOLINGS[pooling](appearance, part, embedding)
        if part_stream in ("trained", "frozen"):
            self.part_network = backbones.build(part_network)
            if self.part_network.channels != MAPS["inner"].stop:
                raise UserError(f"part_network {part_network} does not give OpenPose's 185 maps")
            self.starts_from = {"part_network": "partmaps"}
        if part_stream == "frozen":
            self.part_network.requires_grad_(False).eval()
        if part_stream == "cached":
            self.labels = self.labels_at_test = ("partmaps",)
        self.margin = margin
        self.similarity = choose(SIMILARITIES, similarity, "similarity")
        self.average = average

    def early(self) -> Sequence[nn.Module]:
        """Of both streams."""
        return [*self.backbone.early(), *(self.part_network.early() if self.part_stream == "trained" else ())]

    # 3.1 two-stream network

    def streams(self, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """A (B, cA, h, w) and P (B, cP, h, w), Eq. 1-2; without a part stream cP is 0."""
        A = self.appearance(self.feature_map(inputs.images))
        if self.part_stream == "none":
            return A, A[:, :0]
        if self.part_stream == "cached":
            maps = self.cached(inputs.labels["partmaps"], (A.shape[2], A.shape[3]))
        else:
            maps = self.feature_map(inputs.images, self.part_network)
        maps = maps.index_select(1, constant(self.channels, maps.device))
        if maps.shape[2:] != A.shape[2:]:
            maps = F.adaptive_max_pool2d(maps, A.shape[2:])
        return A, self.part(maps)

    def cached(self, maps: Tensor, cells: tuple[int, int]) -> Tensor:
        """Cached part maps (B, 57 or 185, 20, 10) as the part network would give them for A's cells: (B, 185, h, w)."""
        absent = MAPS["inner"].stop - maps.shape[1]
        if absent and set(self.channels) <= set(MAPS["inner"]):
            raise UserError(
                "the cached part maps have no inner maps; add limb or joint to methods.pabr.part_maps, or take "
                "labels.partmaps from openpose"
            )
        h, w = cells if self.dilated else (2 * cells[0], 2 * cells[1])
        maps = F.interpolate(maps, (h, w), mode="bilinear", antialias=True)  # nothing to do for images of 160 x 80
        return F.pad(maps, (0, 0, 0, 0, 0, absent))

    # 3.2 bilinear pooling

    def represent(self, inputs: Inputs) -> Tensor:
        """f~ (B, D) of Eq. 3-4."""
        return F.normalize(self.pooling(*self.streams(inputs)))

    # 3.3 loss

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        sim = self.similarity(self.represent(batch))
        return {"triplet": all_triplets(sim, batch.pid, self.margin, self.average)}

    def train(self, mode: bool = True) -> Self:
        """A frozen part network stays as it is: its batch norms, where it has some, learn nothing from batches."""
        super().train(mode)
        if self.part_stream == "frozen":
            self.part_network.eval()
        return self

    def parameter_groups(self, weight_decay: float) -> list[dict[str, Any]]:
        named = [(name, parameter) for name, parameter in self.named_parameters() if parameter.requires_grad]
        return [
            {"params": [p for name, p in named if not name.endswith("bias")], "weight_decay": weight_decay},
            {"params": [p for name, p in named if name.endswith("bias")], "weight_decay": 0.0},
        ]

    # test

    def embed(self, inputs: Inputs) -> tuple[Tensor, Tensor]:
        f = self.represent(inputs)
        return f[:, None], f.new_ones(f.shape[0], 1)  # (B, 1, D), (B, 1)

    def part_names(self) -> tuple[str, ...]:
        return ("part_aligned",)

    def maps(self, inputs: Inputs) -> Tensor:
        """How long each cell's share f_xy of Eq. 3 is, |a_xy| |p_xy|, against the image's longest: (B, 1, h, w)."""
        A, P = self.streams(inputs)
        length = A.norm(dim=1) * (P.norm(dim=1) if P.shape[1] else 1)
        return (length / length.amax((1, 2), keepdim=True).clamp_min(1e-12))[:, None]


def reduction(inputs: int, outputs: int, size: int) -> list[nn.Module]:
    """A convolution of `size` x `size` and batch norm: (B, inputs, h, w) -> (B, outputs, h, w)."""
    convolution = glorot(nn.Conv2d(inputs, outputs, size, padding=size // 2))
    return [convolution, nn.BatchNorm2d(outputs, affine=False)]
